"""A merchant's own people: who they are, what each may do, and the roles it puts together."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.errors import DomainError
from foundation import clock
from foundation.selectors import second_factor as second_factors
from merchants.models import Ability, CustomRole, Membership
from merchants.models.membership import ROLE_ABILITIES
from merchants.portal import people_act
from merchants.portal.access import Member, MemberRequest, for_members
from merchants.selectors import custom_role as custom_role_selectors
from merchants.selectors import invitation as invitation_selectors
from merchants.selectors import membership as selectors
from merchants.services import membership as memberships
from merchants.services import own_people


class RoleField(forms.ChoiceField):
    """The roles that the reader can give: those of the house, and the merchant's own."""

    def __init__(self, member: Member, **kwargs: Any) -> None:
        self.custom = {
            f"CUSTOM:{role.id}": role
            for role in custom_role_selectors.of_merchant(merchant_id=member.merchant_id)
            if role.active
        }
        house = [
            (str(role), str(Membership.Role(role).label))
            for role, abilities in ROLE_ABILITIES.items()
            if abilities <= member.abilities
        ]
        own = [
            (key, role.name)
            for key, role in self.custom.items()
            if {Ability(one) for one in role.abilities} <= member.abilities
        ]
        attributes = {"class": "form-select"}
        super().__init__(
            label=gettext_lazy("Role"),
            choices=house + own,
            widget=forms.Select(attrs=attributes),
            **kwargs,
        )

    def meant(self, chosen: str) -> tuple[str, CustomRole | None]:
        """Return the role as it is stored, and the merchant's own one if it is that."""
        role = self.custom.get(chosen)
        return (chosen, None) if role is None else (str(Membership.Role.CUSTOM), role)


class MemberForm(forms.Form):
    """Another role for somebody."""

    def __init__(self, *args: Any, member: Member, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"] = RoleField(member)


@require_safe
def people(request: MemberRequest) -> HttpResponseBase:
    """Show people, open invitations and roles."""
    merchant_id = request.member.merchant_id
    members = list(selectors.people_of(merchant_id=merchant_id)[:500])
    with_factor = second_factors.who_have(users=[one.user_id for one in members])
    context = {
        "people": [(one, one.user_id in with_factor) for one in members],
        "invitations": invitation_selectors.open_of(merchant_id=merchant_id)[:500],
        "roles": custom_role_selectors.of_merchant(merchant_id=merchant_id)[:100],
        "now": clock.now(),
        "me": request.member.user.pk,
    }
    return render(request, "portal/merchants/people.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def person(request: MemberRequest, user_id: str) -> HttpResponseBase:
    """Give one of the merchant's people another role, or switch him on again."""
    member = request.member
    rows = selectors.people_of(merchant_id=member.merchant_id)
    found = rows.filter(user_id=user_id).first()
    if found is None:
        raise Http404
    now = f"CUSTOM:{found.custom_role_id}" if found.custom_role_id else found.role
    form = MemberForm(
        data=request.POST if request.method == "POST" else None,
        member=member,
        initial={"role": now},
    )
    if request.method == "POST" and form.is_valid():
        answer = _other_role(request, form, found)
        if answer is not None:
            return answer
    return render(request, "portal/merchants/person.html", {"form": form, "found": found})


def _other_role(
    request: MemberRequest, form: MemberForm, found: Membership
) -> HttpResponseBase | None:
    field = form.fields["role"]
    assert isinstance(field, RoleField)
    role, custom_role = field.meant(form.cleaned_data["role"])
    act = own_people.other_role(
        merchant_id=request.member.merchant_id,
        by=request.member.user,
        user=found.user,
        role=role,
        custom_role=custom_role,
        at=clock.now(),
    )
    facts = [
        (_("Person"), found.user.first_name or found.user.get_username()),
        (_("Role until now"), found.role_name if found.active else _("switched off")),
        (_("New role"), people_act.chosen(field, form.cleaned_data["role"])),
    ]
    done = _("The role is changed.")
    return people_act.carry_out(request, form, act, facts=facts, done=done)


@require_POST
def person_off(request: MemberRequest, user_id: str) -> HttpResponseBase:
    """Let somebody do nothing more for this merchant."""
    member = request.member
    try:
        memberships.switch_off(merchant_id=member.merchant_id, user_id=user_id, by=member.user)
    except DomainError as refusal:
        if refusal.http_status == 404:
            raise
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The membership is switched off."))
    return redirect("portal:people", member.merchant_id)


class RoleForm(forms.Form):
    """A role of the merchant's own."""

    name = forms.CharField(
        label=gettext_lazy("Name of the role"),
        max_length=50,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )
    abilities = forms.MultipleChoiceField(
        label=gettext_lazy("What it includes"), widget=forms.CheckboxSelectMultiple
    )
    active = forms.BooleanField(
        label=gettext_lazy("In use"),
        required=False,
        initial=True,
        widget=forms.CheckboxInput(attrs={"class": "form-check-input"}),
    )

    def __init__(self, *args: Any, member: Member, known: CustomRole | None, **kwargs: Any) -> None:
        if known is not None:
            kwargs["initial"] = {"abilities": known.abilities, "active": known.active}
        super().__init__(*args, **kwargs)
        field = self.fields["abilities"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(one.value, one.label) for one in Ability if one in member.abilities]
        del self.fields["active" if known is None else "name"]


@require_http_methods(["GET", "HEAD", "POST"])
def role(request: MemberRequest, role_id: int = 0) -> HttpResponseBase:
    """Make a role (without `role_id`), or give one other abilities."""
    member, known = request.member, None
    if role_id:
        rows = custom_role_selectors.of_merchant(merchant_id=member.merchant_id)
        known = rows.filter(id=role_id).first()
        if known is None:
            raise Http404
    form = RoleForm(
        data=request.POST if request.method == "POST" else None, member=member, known=known
    )
    if request.method == "POST" and form.is_valid():
        answer = _kept(request, form, known)
        if answer is not None:
            return answer
    return render(request, "portal/merchants/role.html", {"form": form, "known": known})


def _kept(
    request: MemberRequest, form: RoleForm, known: CustomRole | None
) -> HttpResponseBase | None:
    """Make or change the role."""
    given, member = form.cleaned_data, request.member
    who: dict[str, Any] = {"merchant_id": member.merchant_id, "by": member.user}
    included = people_act.chosen(form.fields["abilities"], given["abilities"])
    facts = [(_("What it includes"), included)]
    if known is None:
        act = own_people.new_role(
            **who, name=given["name"], abilities=given["abilities"], at=clock.now()
        )
        facts.insert(0, (_("Role"), given["name"]))
    else:
        act = own_people.changed_role(
            **who, role=known, abilities=given["abilities"], active=given["active"]
        )
        facts.insert(0, (_("Role"), known.name))
        facts.append((_("In use"), people_act.yes_no(given["active"])))
    done = _("The role is kept.")
    return people_act.carry_out(request, form, act, facts=facts, done=done)


_managed = for_members(Ability.MANAGE)

urlpatterns = [
    path("<int:merchant_id>/people", _managed(people), name="people"),
    path("<int:merchant_id>/people/<uuid:user_id>", _managed(person), name="person"),
    path("<int:merchant_id>/people/<uuid:user_id>/off", _managed(person_off), name="person_off"),
    path("<int:merchant_id>/roles/new", _managed(role), name="role_new"),
    path("<int:merchant_id>/roles/<int:role_id>", _managed(role), name="role"),
]
