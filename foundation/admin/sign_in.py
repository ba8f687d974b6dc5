"""Who signed in, when and from where."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation import clock
from foundation.admin import columns, filters
from foundation.admin.keyset import KeysetAdmin
from foundation.models import SignIn
from foundation.selectors.sign_in import living

MENU = [("foundation_signin_changelist", _("Sign-ins"), "login", "foundation.view_signin")]


_FACTORS = {
    "": "–",
    "totp": _("Authenticator app"),
    "webauthn": _("Passkey"),
    "recovery_codes": _("recovery code"),
}


def _factor(kind: str) -> str:
    return str(_FACTORS.get(kind, kind))


@admin.register(SignIn)
class SignInAdmin(KeysetAdmin):
    """Sign-ins, latest first."""

    list_display = (
        "user", "door", "device", "address",
        columns.named("factor", _("second step"), _factor), "new",
        "signed_in_at", "last_seen_at", "ended",
    )  # fmt: skip
    shown = {"factor": columns.named("factor", _("second step"), _factor)}
    list_select_related = ("user",)
    hidden = ("session_hash", "device_key")
    list_filter = (
        filters.choices(
            "state",
            _("state"),
            {
                "open": filters.Choice(_("still open"), lambda: living(clock.now())),
                "new": filters.Choice(
                    _("new device or place"), Q(new_device=True) | Q(new_place=True)
                ),
            },
        ),
    )

    @admin.display(description=_("new for this account"))
    def new(self, row: SignIn) -> str:
        """Say whether the browser or the network was new, where it was."""
        said = [str(_("new device"))] if row.new_device else []
        said += [str(_("new place"))] if row.new_place else []
        return ", ".join(said) or "–"
