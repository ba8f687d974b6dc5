"""Rights to decide that are lent for a while: the list, and the page on which one's own is lent."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.timezone import make_aware
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from foundation import clock, registries
from foundation.admin import filters, form_page
from foundation.admin.keyset import KeysetAdmin
from foundation.admin.readonly import MAX_REASON, Step
from foundation.models import Delegation, User
from foundation.services import delegation as delegations

MENU = [
    (
        "foundation_delegation_changelist",
        _("Delegations"),
        "supervised_user_circle",
        "foundation.view_delegation",
    ),
    ("foundation_lend", _("Lend my right"), "move_up", "foundation.view_delegation"),
]


def _end(request: HttpRequest, row: Delegation, reason: str, at: datetime) -> str:
    delegations.end(delegation_id=row.pk, by=cast(User, request.user), at=at)
    return gettext("The delegation is over.")


def _present() -> Q:
    at = clock.now()
    return Q(starts_at__lte=at, ends_at__gt=at) & (Q(ended_at=None) | Q(ended_at__gt=at))


@admin.register(Delegation)
class DelegationAdmin(KeysetAdmin):
    """Delegations, latest first. They come from approvals and can only be ended."""

    list_display = ("delegator", "delegate", "right", "starts_at", "ends_at", "ended_at")
    list_select_related = ("delegator", "delegate")
    list_filter = (
        filters.choices("state", _("state"), {"now": filters.Choice(_("in force"), _present)}),
    )
    fields = (
        "delegator", "delegate", "right", "starts_at", "ends_at", "ended_at", "reason",
        "approval_id", "created_at",
    )  # fmt: skip
    steps = (
        Step(
            "end",
            _("End it now"),
            _end,
            open_to=lambda row: row.ended_at is None and clock.now() < row.ends_at,
            colour="danger",
        ),
    )

    @admin.display(description=_("right"))
    def right(self, row: Delegation) -> str:
        """Name the kinds of proposals that the right decides on."""
        return _kinds_of(row.permission)


def _kinds_of(permission: str) -> str:
    titles = [
        registries.title_of(name)
        for name, action in registries.approval_actions.items()
        if action.permission == permission
    ]
    return ", ".join(titles) or permission


class LendForm(forms.Form):
    """Whom, what, from which day to which, both included, in the institution's zone."""

    delegate = forms.CharField(
        label=_("to whom"),
        max_length=150,
        help_text=_("The user name of a colleague."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    permission = forms.ChoiceField(label=_("right to decide on"), widget=UnfoldAdminSelectWidget())
    first_day = forms.DateField(label=_("first day"), widget=UnfoldAdminDateWidget())
    last_day = forms.DateField(label=_("last day"), widget=UnfoldAdminDateWidget())
    reason = forms.CharField(
        label=_("reason"), max_length=MAX_REASON, widget=UnfoldAdminTextareaWidget()
    )

    def __init__(self, *args: Any, rights: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = cast(forms.ChoiceField, self.fields["permission"])
        choice.choices = [(right, _kinds_of(right)) for right in rights]
        for name in ("first_day", "last_day"):
            self.fields[name].widget.input_type = "date"

    def clean_delegate(self) -> User:
        """Return the colleague's account."""
        name = self.cleaned_data["delegate"].replace("\0", "")
        found = User.objects.filter(username=name, is_staff=True, is_active=True).first()
        if found is None:
            raise forms.ValidationError(_("Nobody of the staff has this user name."))
        return found

    def clean(self) -> dict[str, Any]:
        """Turn the days into the moments between them."""
        values: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                values["starts_at"] = make_aware(datetime.combine(values["first_day"], time.min))
                after = values["last_day"] + timedelta(days=1)
                values["ends_at"] = make_aware(datetime.combine(after, time.min))
            except OverflowError:
                self.add_error("last_day", _("This day is beyond the calendar."))
        return values


@require_http_methods(["GET", "HEAD", "POST"])
def lend_page(request: HttpRequest) -> HttpResponse:
    """Propose to lend one's own right to decide; who holds none is told so."""
    user = cast(User, request.user)
    rights = delegations.lendable(user)
    if not user.has_perm("foundation.view_delegation"):
        raise PermissionDenied
    if request.method == "POST" and not rights:
        raise PermissionDenied

    def run(values: dict[str, Any]) -> str:
        delegations.propose(
            delegator=user,
            delegate=values["delegate"],
            permission=values["permission"],
            starts_at=values["starts_at"],
            ends_at=values["ends_at"],
            reason=values["reason"],
            at=clock.now(),
        )
        return gettext("Proposed; another person decides in the approvals.")

    return form_page.serve(
        request,
        title=gettext("Lend my right"),
        intro=gettext(
            "Another person decides in your stead, under his own name, for as long as you are away."
            " He never decides on what you or he proposed, and cannot lend it on."
        )
        if rights
        else gettext("You hold no right to decide that could be lent."),
        button=gettext("Propose"),
        form=LendForm(request.POST if request.method == "POST" else None, rights=rights),
        run=run,
        onward=reverse("admin:foundation_delegation_changelist"),
    )
