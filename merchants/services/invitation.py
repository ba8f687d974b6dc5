"""Invitations: sent by e-mail, good once, for one person into one role."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

from config.errors import DomainError, Malformed, NotFound
from foundation import actor
from foundation.models import User
from foundation.services import audit, mail, outbox
from foundation.services import sign_in_password as sign_in_passwords
from merchants.models import Ability, CustomRole, Invitation, Membership
from merchants.models.membership import abilities_of
from merchants.services import membership as memberships

LIFETIME: Final = timedelta(days=7)
MOST_OPEN: Final = 100  # of one merchant
MOST_SENT: Final = 10  # of one invitation
MAIL: Final = "merchants.mail_invitation"
_SALT: Final = "merchants.invitation"


class InvitationMalformed(Malformed):
    """The address, the name or the role is not right."""

    code = "invitation_malformed"


class AlreadyInvited(DomainError):
    """This address is invited already, or belongs to one of the merchant's people."""

    code = "already_invited"


class TooMany(DomainError):
    """A merchant does not send letters without end."""

    code = "too_many_invitations"


class InvitationRefused(DomainError):
    """The link opens nothing (any more). One sentence, whatever the reason."""

    code = "invitation_refused"
    http_status = 410

    def __init__(self) -> None:
        super().__init__(_("This invitation is not valid (any more). Ask for a new one."))


class OtherAccount(DomainError):
    """The invitation is for another e-mail address than that of the account signed in."""

    code = "invitation_for_other_account"
    http_status = 403


class HasAccount(DomainError):
    """There is an account of this address: sign in with it to accept."""

    code = "invitation_has_account"


def invite(
    *,
    merchant_id: int,
    email: str,
    name: str,
    role: str,
    invited_by: User | None,
    at: datetime,
    custom_role: CustomRole | None = None,
    language: str = "zh-hans",
) -> Invitation:
    """
    Invite a person into a role; the link goes out by e-mail, through the outbox.

    `invited_by` is one of the merchant's people who manages others and has all that the role
    includes; staff, or None for the house itself, may invite anybody (their door asks for more).

    Raises: InvitationMalformed naming the field, AlreadyInvited, BeyondOwnAbilities, Forbidden.
    Rule:   PEO-1, PEO-3 (docs/rules/people.md).
    """
    email, name = email.strip().lower(), name.strip()
    _require_shape(email, name)
    role = str(Membership.Role(role))
    if invited_by is not None and not invited_by.is_staff:
        given = abilities_of(role, custom_role)
        memberships.require_can_give(merchant_id=merchant_id, by=invited_by, abilities=given)
    held = Membership.objects.filter(
        merchant_id=merchant_id, active=True, user__email__iexact=email
    )
    if held.exists():
        raise AlreadyInvited(_("This address belongs to one of your people already."))
    try:
        with transaction.atomic():
            _forget_expired(merchant_id, email, at)
            _require_few(merchant_id)
            invitation = Invitation.objects.create(
                merchant_id=merchant_id,
                email=email,
                name=name,
                role=role,
                custom_role=custom_role,
                language=language,
                invited_by=invited_by,
                invited_at=at,
                expires_at=at + LIFETIME,
            )
            _record(invitation, "invitation.send")
            _send(invitation)
    except IntegrityError as refused:
        if "invitation_one_open" not in str(refused):
            raise
        raise AlreadyInvited(_("This address is invited already.")) from refused
    return invitation


def resend(*, merchant_id: int, invitation_id: int, by: User, at: datetime) -> Invitation:
    """
    Send a new link and give it time again; the links of before are dead.

    Raises: NotFound, InvitationRefused for one that ended, BeyondOwnAbilities, Forbidden.
    """
    with transaction.atomic():
        invitation = _managed(merchant_id, invitation_id, by)
        if invitation.version >= MOST_SENT:
            raise TooMany(_("It was sent %(most)s times already.") % {"most": MOST_SENT})
        invitation.version += 1
        invitation.expires_at = at + LIFETIME
        invitation.save(update_fields=["version", "expires_at"])
        _record(invitation, "invitation.send")
        _send(invitation)
    return invitation


def withdraw(*, merchant_id: int, invitation_id: int, by: User, at: datetime) -> Invitation:
    """Take an invitation back. Raises: NotFound, InvitationRefused, Forbidden."""
    with transaction.atomic():
        invitation = _managed(merchant_id, invitation_id, by)
        invitation.withdrawn_at = at
        invitation.save(update_fields=["withdrawn_at"])
        _record(invitation, "invitation.withdraw")
    return invitation


def withdraw_open(*, merchant_id: int, at: datetime) -> None:
    """Take every open invitation of a merchant back, as part of its closing (MST-9)."""
    found = Invitation.objects.select_for_update(of=("self",)).select_related("custom_role")
    for invitation in found.filter(merchant_id=merchant_id, accepted_at=None, withdrawn_at=None):
        invitation.withdrawn_at = at
        invitation.save(update_fields=["withdrawn_at"])
        _record(invitation, "invitation.withdraw")


def mail_link(*, merchant_id: int, invitation_id: int) -> None:
    """Send the link of an open invitation as it stands now; nothing for one that ended."""
    invitation = (
        Invitation.objects.select_related("merchant", "custom_role", "invited_by")
        .filter(merchant_id=merchant_id, id=invitation_id, accepted_at=None, withdrawn_at=None)
        .first()
    )
    if invitation is None:
        return
    path = reverse("portal:invitation_link", args=[token_of(invitation)])
    mail.send(
        to=invitation.email,
        language=invitation.language,
        template="invitation",
        context={"invitation": invitation, "link": settings.SITE_URL.rstrip("/") + path},
    )


def invite_owner(*, event: str, merchant_ids: Sequence[int], payload: Mapping[str, Any]) -> None:
    """
    Invite the owner that an approved application names (registries.lifecycle_listeners).

    Inside the approval's transaction; an application without an owner's address invites nobody.
    """
    owner = payload.get("owner")
    if event != "merchant.approved" or owner is None:
        return
    for merchant_id in merchant_ids:
        invite(
            merchant_id=merchant_id,
            email=owner.email,
            name=owner.name,
            role=Membership.Role.OWNER,
            invited_by=payload["approved_by"],
            at=payload["at"],
        )


def token_of(invitation: Invitation) -> str:
    """Return what the link carries: whose, which, and our signature over its version."""
    return f"{invitation.merchant_id}.{invitation.uuid.hex}.{_signature(invitation)}"


def opened(*, token: str, at: datetime, lock: bool = False) -> Invitation:
    """
    Return the invitation that a link opens. Raises InvitationRefused, for every reason the same.
    """
    book, _dot, rest = token.partition(".")
    key, _dot, signature = rest.partition(".")
    try:
        merchant_id, row = int(book), uuid.UUID(hex=key)
    except ValueError:
        raise InvitationRefused from None
    if not 0 < merchant_id < 2**63:
        raise InvitationRefused
    rows = Invitation.objects.select_related("merchant", "custom_role", "invited_by")
    rows = rows.select_for_update(of=("self",)) if lock else rows
    invitation = rows.filter(merchant_id=merchant_id, uuid=row).first()
    if (
        invitation is None
        or not constant_time_compare(signature, _signature(invitation))
        or invitation.accepted_at is not None
        or invitation.withdrawn_at is not None
        or at >= invitation.expires_at
        or not _still_given(invitation)
    ):
        raise InvitationRefused
    return invitation


def has_account(*, invitation: Invitation) -> bool:
    """Return whether the address has an account of a merchant's person already."""
    return User.objects.filter(
        email__iexact=invitation.email, is_staff=False, is_superuser=False
    ).exists()


def accept_as_new(*, token: str, password: str, at: datetime, language: str | None = None) -> User:
    """
    Make an account for the invited address, with the password its owner chose, and join.

    The user name is the address; it speaks `language`, which he read the page in, or else that of
    the letter. The person is that of the accounts of the same address, if there are some: maker and
    checker stay apart (X10).
    Raises: InvitationRefused, HasAccount. Rule: PEO-1, MER-7.
    """
    with transaction.atomic():
        actor.stamp_transaction()
        invitation = opened(token=token, at=at, lock=True)
        taken = User.objects.filter(username=invitation.email).exists()
        if taken or has_account(invitation=invitation):
            raise HasAccount(_("There is an account of this address: sign in with it."))
        user = User(
            username=invitation.email,
            email=invitation.email,
            first_name=invitation.name,
            language=language or invitation.language,
        )
        try:
            with transaction.atomic():
                sign_in_passwords.begin(user=user, password=password, at=at)
        except IntegrityError as refused:  # by another merchant's link, in this very moment
            raise HasAccount(
                _("There is an account of this address: sign in with it.")
            ) from refused
        _accept(invitation, user, at)
    return user


def accept_as(*, token: str, user: User, at: datetime) -> Membership:
    """
    Join with the account signed in, whose address is the invited one.

    Raises: InvitationRefused, OtherAccount, StaffHasNoMembership. Rule: PEO-1.
    """
    with transaction.atomic():
        actor.stamp_transaction()
        invitation = opened(token=token, at=at, lock=True)
        if user.email.strip().lower() != invitation.email:
            raise OtherAccount(
                _("The invitation is for another e-mail address than that of your account.")
            )
        return _accept(invitation, user, at)


def _accept(invitation: Invitation, user: User, at: datetime) -> Membership:
    member = memberships.grant(
        merchant_id=invitation.merchant_id,
        user=user,
        role=invitation.role,
        custom_role=invitation.custom_role,
        at=at,
    )
    invitation.accepted_at, invitation.accepted_by = at, user
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    _record(invitation, "invitation.accept")
    return member


def _still_given(invitation: Invitation) -> bool:
    """Return whether who invited could do so still; staff and the house always."""
    by = invitation.invited_by
    if by is None or by.is_staff:
        return True
    has = memberships.abilities_now(merchant_id=invitation.merchant_id, user=by)
    needs = abilities_of(invitation.role, invitation.custom_role)
    return needs | {Ability.MANAGE} <= has


def _managed(merchant_id: int, invitation_id: int, by: User) -> Invitation:
    invitation = (
        Invitation.objects.select_for_update(of=("self",))
        .select_related("custom_role")
        .filter(merchant_id=merchant_id, id=invitation_id)
        .first()
    )
    if invitation is None:
        raise NotFound(_("There is no such invitation."))
    if not by.is_staff:
        given = abilities_of(invitation.role, invitation.custom_role)
        memberships.require_can_give(merchant_id=merchant_id, by=by, abilities=given)
    if invitation.accepted_at is not None or invitation.withdrawn_at is not None:
        raise InvitationRefused
    return invitation


def _forget_expired(merchant_id: int, email: str, at: datetime) -> None:
    """Close an invitation whose time is over, so that the address can be invited again."""
    Invitation.objects.filter(
        merchant_id=merchant_id,
        email=email,
        accepted_at=None,
        withdrawn_at=None,
        expires_at__lte=at,
    ).update(withdrawn_at=at)


def _require_few(merchant_id: int) -> None:
    waiting = Invitation.objects.filter(
        merchant_id=merchant_id, accepted_at=None, withdrawn_at=None
    )
    if waiting.count() >= MOST_OPEN:
        raise TooMany(_("%(most)s invitations wait already: take some back.") % {"most": MOST_OPEN})


def _require_shape(email: str, name: str) -> None:
    try:
        validate_email(email)
    except ValidationError:
        raise InvitationMalformed(_("This is no e-mail address."), field="email") from None
    if len(email) > 150:  # it becomes the user name
        raise InvitationMalformed(_("This address is too long."), field="email")
    if not 0 < len(name) <= 150 or not name.isprintable():
        raise InvitationMalformed(_("A name of 1 to 150 letters is needed."), field="name")


def _send(invitation: Invitation) -> None:
    outbox.add(
        MAIL,
        merchant_id=invitation.merchant_id,
        payload={"merchant_id": invitation.merchant_id, "invitation_id": invitation.id},
        key=f"{invitation.id}:{invitation.version}",
    )


def _signature(invitation: Invitation) -> str:
    """Sign what the link stands for; SECRET_KEY is needed to make one."""
    text = f"{invitation.merchant_id}:{invitation.uuid.hex}:{invitation.version}"
    return salted_hmac(_SALT, text, algorithm="sha256").hexdigest()


def _record(invitation: Invitation, action: str) -> None:
    audit.record(
        merchant_id=invitation.merchant_id,
        action=action,
        object_kind="invitation",
        object_id=str(invitation.uuid),
        after={"email": invitation.email, "role": invitation.role_name,
               "version": invitation.version},
    )  # fmt: skip
