"""Inviting somebody, and accepting what came by e-mail."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import translation
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.errors import DomainError
from foundation import clock
from foundation.models import SignIn, User
from foundation.portal import session
from foundation.portal.account import PasswordForm
from foundation.portal.page import page
from merchants.models import Ability, Invitation
from merchants.models.membership import abilities_of
from merchants.portal import people_act
from merchants.portal.access import Member, MemberRequest, for_members, portal_user
from merchants.portal.people import RoleField
from merchants.services import invitation as invitations
from merchants.services import own_people

(_TOKEN,) = session.CARRIED


class InvitationForm(forms.Form):
    """Whom to invite, into which role."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=150,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )
    email = forms.EmailField(
        label=gettext_lazy("E-mail"),
        max_length=150,
        widget=forms.EmailInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, member: Member, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"] = RoleField(member)


@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: MemberRequest) -> HttpResponseBase:
    """Invite a person by e-mail."""
    member = request.member
    form = InvitationForm(data=request.POST if request.method == "POST" else None, member=member)
    if request.method == "POST" and form.is_valid():
        answer = _invited(request, form)
        if answer is not None:
            return answer
    return render(request, "portal/merchants/invite.html", {"form": form})


def _invited(request: MemberRequest, form: InvitationForm) -> HttpResponseBase | None:
    field, given, member = form.fields["role"], form.cleaned_data, request.member
    assert isinstance(field, RoleField)
    role, custom_role = field.meant(given["role"])
    act = own_people.invitation(
        merchant_id=member.merchant_id,
        by=member.user,
        email=given["email"],
        name=given["name"],
        role=role,
        custom_role=custom_role,
        language=translation.get_language() or member.user.language,
        at=clock.now(),
    )
    facts = [
        (_("Name"), given["name"]),
        (_("E-mail"), given["email"]),
        (_("Role"), people_act.chosen(field, given["role"])),
    ]
    done = _("The invitation is on its way.")
    return people_act.carry_out(request, form, act, facts=facts, done=done)


@require_POST
def resend(request: MemberRequest, invitation_id: int) -> HttpResponseBase:
    """Send a new link; the old one is dead."""
    return _done(request, invitations.resend, invitation_id, _("A new link is on its way."))


@require_POST
def withdraw(request: MemberRequest, invitation_id: int) -> HttpResponseBase:
    """Take an invitation back."""
    done = _("The invitation is withdrawn.")
    return _done(request, invitations.withdraw, invitation_id, done)


def _done(request: MemberRequest, act: Any, invitation_id: int, said: str) -> HttpResponseBase:
    member = request.member
    try:
        act(
            merchant_id=member.merchant_id,
            invitation_id=invitation_id,
            by=member.user,
            at=clock.now(),
        )
    except DomainError as refusal:
        if refusal.http_status == 404:
            raise
        messages.error(request, str(refusal))
    else:
        messages.success(request, said)
    return redirect("portal:people", member.merchant_id)


@page
@require_safe
def link(request: HttpRequest, token: str) -> HttpResponseBase:
    """Put what the e-mail's link carries into the session, and out of the address."""
    session.keep_link(request, _TOKEN, token[:200])
    return redirect("portal:invitation")


@page
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def accept(request: HttpRequest) -> HttpResponseBase:
    """
    Join a merchant: with the account of that address, or with a new one and its own password.

    A new account goes the way of every sign-in, so a second step that the role needs comes next,
    and then the payment password.
    """
    token, at = session.kept_link(request, _TOKEN), clock.now()
    try:
        found = invitations.opened(token=token, at=at)
        user = portal_user(request)
        if user is not None:
            return _as_known(request, user, found, token)
        if isinstance(request.user, User) or invitations.has_account(invitation=found):
            onward = urlencode({"next": reverse("portal:invitation")})
            context = {"found": found, "sign_in": f"{reverse('portal:sign_in')}?{onward}"}
            return render(request, "portal/merchants/invitation_known.html", context)
        return _as_new(request, found, token)
    except invitations.InvitationRefused as refusal:
        request.session.pop(_TOKEN, None)
        context = {"refusal": str(refusal)}
        return render(request, "portal/merchants/invitation_refused.html", context, status=410)


def _as_known(request: HttpRequest, user: User, found: Invitation, token: str) -> HttpResponseBase:
    fits = user.email.strip().lower() == found.email
    if request.method == "POST" and fits:
        invitations.accept_as(token=token, user=user, at=clock.now())
        request.session.pop(_TOKEN, None)
        messages.success(request, _("Welcome."))
        return redirect("portal:start")
    context = {"found": found, "fits": fits}
    return render(request, "portal/merchants/invitation_join.html", context)


def _as_new(request: HttpRequest, found: Invitation, token: str) -> HttpResponseBase:
    at = clock.now()
    nobody = User(username=found.email, email=found.email, first_name=found.name)
    form = PasswordForm(data=request.POST if request.method == "POST" else None, user=nobody)
    form.fields["new"].label = _("Password")
    form.fields["again"].label = _("Password, once more")
    if request.method == "POST" and form.is_valid():
        try:
            user = invitations.accept_as_new(
                token=token,
                password=form.cleaned_data["new"],
                language=translation.get_language() or found.language,
                at=at,
            )
        except invitations.HasAccount as refusal:
            form.add_error("new", str(refusal))
        else:
            return session.begin(request, user, door=SignIn.Door.PORTAL, onward=_onward(found))
    return render(request, "portal/merchants/invitation.html", {"form": form, "found": found})


def _onward(found: Invitation) -> str:
    """Return where a new person goes first: who withdraws sets a payment password."""
    if Ability.WITHDRAW in abilities_of(found.role, found.custom_role):
        return reverse("portal:payment_password", args=[found.merchant_id])
    return reverse("portal:start")


_managed = for_members(Ability.MANAGE)

urlpatterns = [
    path("invitation", accept, name="invitation"),
    path("invitations/<str:token>", link, name="invitation_link"),
    path("<int:merchant_id>/people/invite", _managed(invite), name="invite"),
    path(
        "<int:merchant_id>/invitations/<int:invitation_id>/resend",
        _managed(resend),
        name="invitation_resend",
    ),
    path(
        "<int:merchant_id>/invitations/<int:invitation_id>/withdraw",
        _managed(withdraw),
        name="invitation_withdraw",
    ),
]
