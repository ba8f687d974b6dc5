"""The tiers of approvals: read in a list, changed by a proposal."""

from __future__ import annotations

import re
from typing import Any, Final, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from config.errors import DomainError
from foundation import clock, registries
from foundation.admin import columns, form_page
from foundation.admin.readonly import MAX_REASON, ReadOnlyAdmin
from foundation.models import ApprovalPolicy, User
from foundation.money import Money
from foundation.services import approval_policy

MENU = [
    (
        "foundation_approvalpolicy_changelist",
        _("Approval tiers"),
        "stairs",
        "foundation.view_approvalpolicy",
    ),
    (
        "foundation_tier",
        _("Propose a tier"),
        "add_moderator",
        "foundation.change_approvalpolicy",
    ),
]
_ZERO: Final = re.compile(r"0+(\.0*)?")


def _subject(row: ApprovalPolicy) -> list[str]:
    return [f"{row.action}:{row.currency}:{row.from_amount_minor}"]


@admin.register(ApprovalPolicy)
class ApprovalPolicyAdmin(ReadOnlyAdmin):
    """From which amount on how many checkers are needed."""

    approval_subjects = staticmethod(_subject)
    list_display = (
        "kind",
        "currency",
        columns.money("from_amount_minor", _("from amount")),
        "checkers_needed",
    )
    ordering = ("action", "currency", "from_amount_minor")

    @admin.display(description=_("kind of proposal"), ordering="action")
    def kind(self, row: ApprovalPolicy) -> str:
        """Name the kind of proposal."""
        return registries.title_of(row.action)

    def title(self, row: ApprovalPolicy) -> str:
        """Call the page by the kind of proposal."""
        return registries.title_of(row.action)


class TierForm(forms.Form):
    """A tier as people say it: the amount in whole units of its currency."""

    action = forms.ChoiceField(label=_("kind of proposal"), widget=UnfoldAdminSelectWidget())
    currency = forms.RegexField(
        "^([A-Z]{3})?$",
        label=_("currency"),
        required=False,
        help_text=_("Three letters; empty for every currency without tiers of its own."),
        widget=UnfoldAdminTextInputWidget(),
    )
    from_amount = forms.CharField(
        label=_("from amount"),
        max_length=20,
        help_text=_("Such as 50000.00; without a currency only 0."),
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
    )
    checkers_needed = forms.IntegerField(
        label=_("checkers"),
        min_value=0,
        max_value=approval_policy.MOST_CHECKERS,
        help_text=_("How many other persons must approve; 0 takes the tier away."),
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    reason = forms.CharField(
        label=_("reason"), max_length=MAX_REASON, widget=UnfoldAdminTextareaWidget()
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = sorted((registries.title_of(name), name) for name, _item in _kinds())
        choice = cast(forms.ChoiceField, self.fields["action"])
        choice.choices = [(name, title) for title, name in kinds]

    def clean(self) -> dict[str, Any]:
        """Turn the amount into minor units of its currency."""
        values: dict[str, Any] = super().clean() or {}
        text, currency = values.get("from_amount", ""), values.get("currency", "")
        if self.errors:
            return values
        try:
            if currency:
                values["from_amount_minor"] = Money.parse(text, currency).minor
            elif _ZERO.fullmatch(text):
                values["from_amount_minor"] = 0
            else:
                self.add_error("from_amount", _("Without a currency a tier begins at 0."))
        except DomainError as refusal:
            field = "currency" if type(refusal).__name__ == "CurrencyUnknown" else "from_amount"
            self.add_error(field, str(refusal))
        return values


def _kinds() -> tuple[tuple[str, Any], ...]:
    return registries.approval_actions.items()


@require_http_methods(["GET", "HEAD", "POST"])
def tier_page(request: HttpRequest) -> HttpResponse:
    """Propose a tier, a change of one, or its end."""
    if not request.user.has_perm("foundation.change_approvalpolicy"):
        raise PermissionDenied

    def run(values: dict[str, Any]) -> str:
        approval_policy.propose(
            action=values["action"],
            currency=values["currency"],
            from_amount_minor=values["from_amount_minor"],
            checkers_needed=values["checkers_needed"],
            reason=values["reason"],
            maker=cast(User, request.user),
            at=clock.now(),
        )
        return gettext("Proposed; another person decides in the approvals.")

    return form_page.serve(
        request,
        title=gettext("Propose a tier"),
        intro=gettext(
            "From this amount on, a proposal of this kind needs so many other persons. The change"
            " takes effect when as many persons approve it as the strictest tier of the kind asks."
        ),
        button=gettext("Propose"),
        form=TierForm(request.POST if request.method == "POST" else None),
        run=run,
        onward=reverse("admin:foundation_approvalpolicy_changelist"),
    )
