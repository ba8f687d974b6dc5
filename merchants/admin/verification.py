"""Which proofs an operation needs, proposals to change that, and what became of every proof."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from config.errors import DomainError
from foundation import clock, registries
from foundation.admin import columns, filters, form_page
from foundation.admin.keyset import Keyset, KeysetAdmin
from foundation.admin.readonly import MAX_REASON, ReadOnlyAdmin
from foundation.admin.related import Link
from foundation.models import User
from foundation.money import Money
from merchants.models import VerificationRequest, VerificationRule
from merchants.services import verification_rule as rules

MENU = [
    (
        "merchants_verificationrule_changelist",
        _("Verification rules"),
        "verified_user",
        "merchants.view_verificationrule",
    ),
    (
        "merchants_verificationrequest_changelist",
        _("Verifications"),
        "fact_check",
        "merchants.view_verificationrequest",
    ),
]
PROPOSE: Final = "merchants_verificationrule_propose"
DECIDE_WITHIN: Final = timedelta(days=7)
MINOR: Final = "CNY"  # the minor units of a rule for every currency are read as hundredths


def _operation(code: str) -> str:
    """Return an operation by the name people know."""
    known = code in registries.verified_operations
    return str(registries.verified_operations.get(code).title) if known else code


def factors_named(names: list[str]) -> str:
    """Name factors in their order."""
    known = registries.verification_factors
    return ", ".join(str(known.get(name).title) if name in known else name for name in names)


OPERATION = columns.named("operation", _("operation"), _operation)


@admin.register(VerificationRule)
class VerificationRuleAdmin(ReadOnlyAdmin):
    """The matrix: operation and amount, and the factors they ask for."""

    list_display = (
        OPERATION,
        "currency",
        columns.money("from_amount_minor", _("from amount")),
        "needed",
        "together",
        "in_force",
    )
    fields = (
        OPERATION,
        "currency",
        "from_amount_minor",
        "needed",
        "together",
        "in_force",
        "approval_id",
    )  # type: ignore[assignment]
    ordering = ("operation", "currency", "from_amount_minor")

    @admin.display(description=_("factors"))
    def needed(self, row: VerificationRule) -> str:
        """Name every factor that is asked for."""
        return factors_named(row.factors)

    def title(self, row: VerificationRule) -> str:
        """Call the page by the operation."""
        return _operation(row.operation)

    def related_links(self, request: HttpRequest, row: Any) -> list[Link]:
        """Lead to the proposal of a change, filled in with the row."""
        if not request.user.has_perm("merchants.change_verificationrule"):
            return []
        return [Link(gettext("Propose a change"), f"{reverse(f'admin:{PROPOSE}')}?rule={row.id}")]


@admin.register(VerificationRequest)
class VerificationRequestAdmin(KeysetAdmin):
    """Verifications, latest first: what for, and what became of each proof. Never a proof."""

    keyset = Keyset("-opened_at", "-id")
    list_display = (
        "number",
        "merchant",
        "user",
        OPERATION,
        columns.money("amount_minor", _("amount")),
        "stepped_up",
        "opened_at",
    )
    list_select_related = ("merchant", "user")
    list_filter = (filters.merchant("-id"),)
    fields = (
        *("number", "merchant", "user", OPERATION, columns.money("amount_minor", _("amount"))),
        *("needed", "together", "stepped_up", "opened_at", "expires_at", "attempts"),
    )  # type: ignore[assignment]

    @admin.display(description=_("factors"))
    def needed(self, row: VerificationRequest) -> str:
        """Name every factor that was asked for."""
        return factors_named(row.factors)

    @admin.display(description=_("proofs"))
    def attempts(self, row: VerificationRequest) -> str:
        """Say of each proof when it was given, of which level it is, and what became of it."""
        found = row.attempts.filter(merchant=row.merchant_id).order_by("id")[:100]
        rows = [(one, factors_named([one.factor])) for one in found]
        return render_to_string("admin/verification_attempts.html", {"rows": rows})


class RuleForm(forms.Form):
    """A row of the matrix as it shall be, and why."""

    operation = forms.ChoiceField(label=_("operation"), widget=UnfoldAdminSelectWidget())
    currency = forms.RegexField(
        "^([A-Z]{3})?$",
        label=_("currency"),
        required=False,
        help_text=_("empty: every currency"),
        widget=UnfoldAdminTextInputWidget(),
    )
    from_amount = forms.CharField(
        label=_("from amount"),
        max_length=20,
        initial="0",
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
    )
    factors = forms.MultipleChoiceField(
        label=_("factors"),
        help_text=_("asked in this order"),
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    together = forms.BooleanField(
        label=_("in one step"),
        required=False,
        help_text=_("all at once; nobody learns which one was wrong"),
        widget=UnfoldBooleanWidget(),
    )
    in_force = forms.BooleanField(
        label=_("in force"), required=False, initial=True, widget=UnfoldBooleanWidget()
    )
    reason = forms.CharField(
        label=_("reason"), max_length=MAX_REASON, widget=UnfoldAdminTextareaWidget()
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        operations = registries.verified_operations.items()
        factors = registries.verification_factors.items()
        cast(forms.ChoiceField, self.fields["operation"]).choices = [
            (name, str(item.title)) for name, item in operations
        ]
        cast(forms.ChoiceField, self.fields["factors"]).choices = [
            (name, str(item.title)) for name, item in factors
        ]

    def clean(self) -> dict[str, Any]:
        """Read the amount in its currency, and bring the factors into their order."""
        given: dict[str, Any] = super().clean() or {}
        if self.errors:
            return given
        try:
            amount = Money.parse(given.pop("from_amount").strip(), given["currency"] or MINOR)
            given["from_amount_minor"] = amount.minor
        except DomainError as refusal:
            self.add_error("from_amount", str(refusal))
        order = [name for name, _factor in registries.verification_factors.items()]
        given["factors"] = sorted(given["factors"], key=order.index)
        return given


@require_http_methods(["GET", "HEAD", "POST"])
def propose_page(request: HttpRequest) -> HttpResponse:
    """Propose a row of the matrix; another person decides in the approvals. Rule: VER-10."""
    if not request.user.has_perm("merchants.change_verificationrule"):
        raise PermissionDenied

    def run(values: dict[str, Any]) -> str:
        at = clock.now()
        rules.propose(
            **values, maker=cast(User, request.user), at=at, expires_at=at + DECIDE_WITHIN
        )
        return gettext("Proposed; another person decides in the approvals.")

    sent = request.POST if request.method == "POST" else None
    return form_page.serve(
        request,
        title=gettext("Change a verification rule"),
        intro=gettext(
            "One row of the matrix, as it shall be. Another person decides; until then the present"
            " one holds. An operation without a row in force is forbidden."
        ),
        button=gettext("Propose"),
        form=RuleForm(data=sent, initial=_known(request.GET.get("rule", ""))),
        run=run,
        onward=reverse("admin:merchants_verificationrule_changelist"),
    )


def _known(number: str) -> Mapping[str, Any] | None:
    """Return the content of the row whose change is to be proposed."""
    row = None
    if number.isascii() and number.isdigit() and len(number) < 19:
        row = VerificationRule.objects.filter(id=int(number)).first()
    if row is None:
        return None
    amount = Money(row.from_amount_minor, row.currency or MINOR)
    return {
        "operation": row.operation,
        "currency": row.currency,
        "from_amount": amount.major,
        "factors": row.factors,
        "together": row.together,
        "in_force": row.in_force,
    }
