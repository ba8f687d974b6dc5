"""Who signed in, when and from where."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation import clock
from foundation.admin import filters
from foundation.admin.keyset import KeysetAdmin
from foundation.models import SignIn
from foundation.selectors.sign_in import living

MENU = [("foundation_signin_changelist", _("Sign-ins"), "login", "foundation.view_signin")]


@admin.register(SignIn)
class SignInAdmin(KeysetAdmin):
    """Sign-ins, latest first."""

    list_display = (
        "user", "door", "device", "address", "factor", "new_device", "new_place",
        "signed_in_at", "last_seen_at", "ended",
    )  # fmt: skip
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
