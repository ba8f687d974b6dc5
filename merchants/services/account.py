"""Sign-in accounts made by an operator: staff, and the people of a merchant."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from config.errors import DomainError, NotFound
from foundation import actor, owner
from foundation.models import User
from foundation.services import audit
from foundation.services import guess_count as guess_counts
from foundation.services import sign_in_password as sign_in_passwords
from merchants.services import house


class AccountOfOtherKind(DomainError):
    """
    The name is taken by an account of the other kind: staff and merchants' people are separate.
    """

    code = "account_of_other_kind"


class OwnerNeeded(DomainError):
    """The product's own role makes no staff: the command was run without the owner's."""

    code = "owner_needed"


@dataclass(frozen=True, slots=True)
class SignIn:
    """An account and, when it was just made or rotated, the one sight of its password."""

    user: User
    created: bool
    password: str = field(default="", repr=False)


def ensure(
    *,
    username: str,
    name: str = "",
    email: str = "",
    staff: bool,
    superuser: bool = False,
    groups: Sequence[str] = (),
    same_person_as: str = "",
    rotate: bool = False,
    at: datetime,
) -> SignIn:
    """
    Make a sign-in account with a random password, or find the one of that name.

    An account that is there is left as it is; `rotate` gives it a new password. `same_person_as`
    names another account of the same human being, so that maker and checker are told apart (X10).
    Its owner changes the password at his first sign-in (SIG-16). Staff are made by the role that
    owns the tables (`foundation.owner`).

    Raises: AccountOfOtherKind, OwnerNeeded; NotFound for an unknown group or account.
    Rule:   MER-7 (docs/rules/merchants.md), ROL-13 (docs/rules/roles.md).
    """
    with _making_staff() if staff else nullcontext(), transaction.atomic():
        actor.stamp_transaction()
        user = User.objects.select_for_update().filter(username=username).first()
        if user is not None and user.is_staff != staff:
            raise AccountOfOtherKind(
                _("%(name)s is an account of the other kind.") % {"name": username}
            )
        if user is not None and not rotate:
            return SignIn(user, created=False)
        password = secrets.token_urlsafe(15)
        if user is not None:
            sign_in_passwords.give(user=user, password=password, at=at)
            guess_counts.forget(username=username)
            _record(user, "account.rotate")
            return SignIn(user, created=False, password=password)
        user = User(
            username=username,
            first_name=name,
            email=email,
            is_staff=staff,
            is_superuser=superuser,
        )
        if same_person_as:
            user.person = _account(same_person_as).person
        sign_in_passwords.give(user=user, password=password, at=at)
        user.groups.set([_group(group) for group in groups])
        _record(user, "account.create")
    return SignIn(user, created=True, password=password)


@contextmanager
def _making_staff() -> Iterator[None]:
    """Write as the owner of the tables; say so where the database refuses the product."""
    try:
        with owner.connected():
            yield
    except IntegrityError as refused:
        if not re.search(r"staff_(account_not_approved|role_not_given)", str(refused)):
            raise
        raise OwnerNeeded(
            _("The product makes no staff by itself: set DATABASE_OWNER_URL, as for migrate.")
        ) from refused


def _account(username: str) -> User:
    found = User.objects.filter(username=username).select_related("person").first()
    if found is None:
        raise NotFound(_("There is no account %(name)s.") % {"name": username})
    return found


def _group(name: str) -> Group:
    found = Group.objects.filter(name=name).first()
    if found is None:
        raise NotFound(_("There is no group %(name)s.") % {"name": name})
    return found


def _record(user: User, action: str) -> None:
    audit.record(
        merchant_id=house.house().id,
        action=action,
        object_kind="user",
        object_id=str(user.pk),
        after={
            "username": user.username,
            "staff": user.is_staff,
            "superuser": user.is_superuser,
            "person": str(user.person_id),
        },
    )
