"""What others are to confirm: staff call the number on file and say what came of it (VER-17)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from config.errors import NotFound
from foundation import clock
from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin
from foundation.admin.readonly import Step
from foundation.admin.related import Link
from foundation.models import User
from merchants.admin.verification import factors_named
from merchants.models import Confirmation
from merchants.selectors import confirmation as selectors
from merchants.services import confirmation as confirmations

RIGHT: Final = "merchants.call_back"
NUMBER: Final = "merchants_confirmation_number"
MENU = [
    (
        "merchants_confirmation_changelist",
        _("Confirmations"),
        "phone_callback",
        "merchants.view_confirmation",
    )
]
FACTOR = columns.named("factor", _("factor"), lambda name: factors_named([name]))


def _said(confirmed: bool) -> Any:
    def run(request: HttpRequest, row: Confirmation, reason: str, at: datetime) -> str:
        assert isinstance(request.user, User)
        confirmations.called(
            merchant_id=row.merchant_id,
            confirmation_id=row.id,
            by=request.user,
            confirmed=confirmed,
            note=reason,
            at=at,
        )
        return gettext("The result of the call is kept.")

    return run


def _is_open(row: Confirmation) -> bool:
    return (
        row.factor == confirmations.CALL
        and row.state == Confirmation.State.WAITING
        and clock.now() < row.expires_at
    )


@require_safe
def number(request: HttpRequest, merchant_id: int, confirmation_id: int) -> HttpResponse:
    """Tell whom to call and the whole number, on a page that no browser keeps; it is audited."""
    if not request.user.has_perm(RIGHT):
        raise PermissionDenied
    assert isinstance(request.user, User)
    try:
        name, phone = confirmations.number_on_file(
            merchant_id=merchant_id, confirmation_id=confirmation_id, by=request.user
        )
    except NotFound as unknown:
        raise Http404 from unknown
    context = {
        **admin.site.each_context(request),
        "title": gettext("The number to call"),
        "name": name,
        "phone": phone,
        "back": reverse("admin:merchants_confirmation_change", args=[confirmation_id]),
    }
    answer = TemplateResponse(request, "admin/number_to_call.html", context)
    answer["Cache-Control"] = "private, no-store"
    return answer


@admin.register(Confirmation)
class ConfirmationAdmin(KeysetAdmin):
    """Confirmations, latest first; a call-back is done here."""

    keyset = Keyset("-asked_at", "-id")
    list_display = (
        *("asked_at", "merchant", FACTOR, "act", "contact_name", "phone_masked", "state"),
        *("expires_at", "decided_by"),
    )
    list_select_related = ("merchant", "verification", "decided_by")
    list_filter = (
        filters.merchant("-id"),
        filters.states("state", _("state"), Confirmation.State.choices),
    )
    fields = (
        *("merchant", FACTOR, "act", "asker", "asked_at", "expires_at", "contact_name"),
        *("phone_masked", "state", "decided_by", "decided_at", "note"),
    )  # type: ignore[assignment]
    steps = (
        Step(
            "confirmed",
            _("They confirmed it on the telephone"),
            _said(True),
            open_to=_is_open,
            permission=RIGHT,
            reason=_("Whom you spoke with, and what was said"),
            reason_needed=True,
        ),
        Step(
            "refused",
            _("They did not confirm it"),
            _said(False),
            open_to=_is_open,
            permission=RIGHT,
            reason=_("Whom you spoke with, and what was said"),
            reason_needed=True,
            colour="danger",
        ),
    )

    @admin.display(description=_("what for"))
    def act(self, row: Confirmation) -> str:
        """Name the operation, the amount and the payee, masked."""
        operation, amount, payee = selectors.act_of(row.verification)
        parts = [operation, amount.grouped if amount else "", payee]
        return " · ".join(part for part in parts if part)

    def title(self, row: Confirmation) -> str:
        """Call the page by the factor and the operation."""
        return f"{factors_named([row.factor])}: {selectors.act_of(row.verification)[0]}"

    @admin.display(description=_("asked by"))
    def asker(self, row: Confirmation) -> str:
        """Name who asks."""
        return str(row.verification.user)

    def related_links(self, request: HttpRequest, row: Any) -> list[Link]:
        """Lead to the number to call, for who may call."""
        if not (_is_open(row) and request.user.has_perm(RIGHT)):
            return []
        address = reverse(f"admin:{NUMBER}", args=[row.merchant_id, row.id])
        return [Link(gettext("The number to call"), address)]


def fill() -> None:
    """Give the number to call its address in the admin."""
    admin.site.add_page(  # type: ignore[attr-defined]
        "merchants/confirmation/<int:merchant_id>/<int:confirmation_id>/number", number, NUMBER
    )
