"""The second page of a change to a merchant's people: what it is, once more, and the proofs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from config.errors import DomainError
from foundation import clock
from merchants.portal import verification
from merchants.portal.access import MemberRequest
from merchants.services import own_people

Facts = Sequence[tuple[Any, Any]]


def carry_out(
    request: MemberRequest, form: forms.Form, act: own_people.Act, *, facts: Facts, done: str
) -> HttpResponseBase | None:
    """
    Ask for the proofs of an act and then do it; the answer to the POST.

    The page carries the form's values unseen, so each step describes the same act again. None: the
    form says what was refused.
    """
    given = request.POST if verification.NUMBER in request.POST else None
    try:
        own_people.rehearse(act)
        step = verification.Step(
            request.member,
            operation=own_people.CHANGE,
            amount=own_people.NOTHING,
            payee=act.payee,
            at=clock.now(),
            given=given,
        )
        token = step.submit() if given is not None else None
        if token is None:
            context = {"form": form, "step": step, "facts": facts}
            return render(request, "portal/merchants/people_act.html", context)
        own_people.perform(act, token=token, at=step.at)
    except DomainError as refusal:
        if refusal.http_status == 404:
            raise
        named = str(refusal.details.get("field", ""))
        form.add_error(named if named in form.fields else _last(form), str(refusal))
        return None
    messages.success(request, done)
    return redirect("portal:people", request.member.merchant_id)


def chosen(field: forms.Field, value: Any) -> str:
    """Return what people read for one or several values of a field of choices."""
    assert isinstance(field, forms.ChoiceField | forms.MultipleChoiceField)
    labels = {str(key): str(label) for key, label in field.choices}  # type: ignore[union-attr,misc]
    values = value if isinstance(value, list) else [value]
    return ", ".join(labels.get(str(one), str(one)) for one in values)


def yes_no(value: bool) -> str:
    """Return a switch in a word."""
    return _("yes") if value else _("no")


def _last(form: forms.Form) -> str:
    """Return the field that says whom or what it is about."""
    return next(name for name in ("email", "role", "abilities") if name in form.fields)
