"""What others are to confirm before it goes on: a colleague's list, and what one says to it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.errors import DomainError
from foundation import clock, registries
from foundation.money import Money
from merchants.models import Ability, Confirmation
from merchants.portal import verification
from merchants.portal.access import MemberRequest, for_members
from merchants.selectors import confirmation as selectors
from merchants.services import confirmation as confirmations
from merchants.services import verification as verifications

State = Confirmation.State


class RefusalForm(forms.Form):
    """Why not."""

    note = forms.CharField(
        label=gettext_lazy("Why not"),
        max_length=500,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )


@require_safe
def confirmation_list(request: MemberRequest) -> HttpResponseBase:
    """Show what waits for somebody else's word and what became of it, latest first."""
    member = request.member
    rows = list(selectors.of_merchant(merchant_id=member.merchant_id)[:100])
    shown = selectors.shown_to(
        rows=rows, abilities=member.abilities, person_id=member.user.person_id
    )
    context = {"rows": [_line(request, row) for row in shown]}
    return render(request, "portal/merchants/confirmation_list.html", context)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def confirmation(request: MemberRequest, confirmation_id: int) -> HttpResponseBase:
    """Show one with its timeline; whoever may say yes proves himself here."""
    row, member = _mine(request, confirmation_id), request.member
    line = _line(request, row)
    context: dict[str, Any] = {"line": line, "form": RefusalForm()}
    if request.method == "POST" and line["can_decide"]:
        given = request.POST if verification.NUMBER in request.POST else None
        step = verification.Step(
            member,
            operation=confirmations.OPERATION,
            amount=Money(row.verification.amount_minor, row.verification.currency),
            payee=row.verification.number,
            at=clock.now(),
            given=given,
        )
        token = step.submit() if given is not None else None
        if token is not None:
            try:
                confirmations.confirm(
                    merchant_id=member.merchant_id,
                    confirmation_id=row.id,
                    by=member.user,
                    token=token,
                    at=step.at,
                )
            except DomainError as refusal:
                messages.error(request, str(refusal))
            else:
                messages.success(request, _("You have confirmed it."))
            return redirect("portal:confirmations", member.merchant_id)
        context["step"] = step
    context["attempts"] = [
        (one, registries.verification_factors.get(one.factor).title)
        for one in row.verification.attempts.filter(merchant_id=member.merchant_id).order_by("id")
    ]
    return render(request, "portal/merchants/confirmation.html", context)


@require_POST
def refuse(request: MemberRequest, confirmation_id: int) -> HttpResponseBase:
    """Say no, with the reason."""
    row, member, form = _mine(request, confirmation_id), request.member, RefusalForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say why not."))
        return redirect("portal:confirmation", member.merchant_id, row.id)
    try:
        confirmations.refuse(
            merchant_id=member.merchant_id,
            confirmation_id=row.id,
            by=member.user,
            note=form.cleaned_data["note"],
            at=clock.now(),
        )
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("You have refused it."))
    return redirect("portal:confirmations", member.merchant_id)


def _mine(request: MemberRequest, confirmation_id: int) -> Confirmation:
    member = request.member
    rows = selectors.of_merchant(merchant_id=member.merchant_id).filter(id=confirmation_id)
    shown = selectors.shown_to(
        rows=rows, abilities=member.abilities, person_id=member.user.person_id
    )
    if not shown:
        raise Http404
    return shown[0]


def _line(request: MemberRequest, row: Confirmation) -> dict[str, Any]:
    """Return one confirmation as the page shows it, and what the reader may do."""
    asked, at = row.verification, clock.now()
    operation, amount, payee = selectors.act_of(asked)
    own = asked.user.person_id == request.member.user.person_id
    is_open = row.state == State.WAITING and at < row.expires_at
    resume = registries.verified_operations.get(asked.operation).resume
    ready = own and resume is not None and verifications.can_go_on(asked, at=at)
    return {
        "row": row,
        "operation": operation,
        "amount": amount,
        "payee": payee,
        "factor": registries.verification_factors.get(row.factor).title,
        "state": _("expired")
        if row.state == State.WAITING and not is_open
        else row.get_state_display(),
        "own": own,
        "can_decide": is_open and not own and row.factor == confirmations.SECOND,
        "go_on": resume(merchant_id=asked.merchant_id, number=asked.number)
        if ready and resume is not None and asked.user_id == request.member.user.pk
        else "",
    }


_members = for_members(Ability.WITHDRAW, Ability.MANAGE)

urlpatterns = [
    path("<int:merchant_id>/confirmations/", _members(confirmation_list), name="confirmations"),
    path(
        "<int:merchant_id>/confirmations/<int:confirmation_id>",
        _members(confirmation),
        name="confirmation",
    ),
    path(
        "<int:merchant_id>/confirmations/<int:confirmation_id>/refuse",
        _members(refuse),
        name="confirmation_refuse",
    ),
]
