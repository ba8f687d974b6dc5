"""What a merchant's people change about who acts for it, each act verified (PEO-6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.db import transaction

from foundation.models import User
from foundation.money import Money
from merchants.models import CustomRole
from merchants.models.membership import abilities_of
from merchants.services import custom_role as custom_roles
from merchants.services import invitation as invitations
from merchants.services import membership as memberships
from merchants.services import verification_token as tokens

CHANGE: Final = "membership.change"  # as verification tokens name it
NOTHING: Final = Money(0, "CNY")  # no money moves


@dataclass(frozen=True, slots=True)
class Act:
    """One change, described in full by `payee`; it is done by `perform` alone."""

    merchant_id: int
    by: User
    payee: str
    do: Callable[[], Any]


def invitation(
    *,
    merchant_id: int,
    by: User,
    email: str,
    name: str,
    role: str,
    custom_role: CustomRole | None,
    language: str,
    at: datetime,
) -> Act:
    """Return the act of inviting somebody into a role."""
    content = {"act": "invite", "email": email, "name": name, **_role(role, custom_role)}
    do = partial(
        invitations.invite,
        merchant_id=merchant_id,
        email=email,
        name=name,
        role=role,
        custom_role=custom_role,
        invited_by=by,
        language=language,
        at=at,
    )
    return Act(merchant_id, by, tokens.payee_of(email, content), do)


def other_role(
    *,
    merchant_id: int,
    by: User,
    user: User,
    role: str,
    custom_role: CustomRole | None,
    at: datetime,
) -> Act:
    """Return the act of giving one of the people another role, or of switching him on again."""
    content = {"act": "role", "user": str(user.pk), **_role(role, custom_role)}
    do = partial(
        memberships.change,
        merchant_id=merchant_id,
        user_id=str(user.pk),
        role=role,
        custom_role=custom_role,
        by=by,
        at=at,
    )
    return Act(merchant_id, by, tokens.payee_of(user.get_username(), content), do)


def new_role(
    *, merchant_id: int, by: User, name: str, abilities: Sequence[str], at: datetime
) -> Act:
    """Return the act of making a role of some abilities."""
    content = {"act": "new role", "name": name, "abilities": sorted(abilities)}
    do = partial(
        custom_roles.create,
        merchant_id=merchant_id,
        name=name,
        abilities=abilities,
        by=by,
        at=at,
    )
    return Act(merchant_id, by, tokens.payee_of(name, content), do)


def changed_role(
    *, merchant_id: int, by: User, role: CustomRole, abilities: Sequence[str], active: bool
) -> Act:
    """Return the act of giving a role other abilities, or of switching it off."""
    content = {
        "act": "change role",
        "role": role.id,
        "abilities": sorted(abilities),
        "active": active,
    }
    do = partial(
        custom_roles.change,
        merchant_id=merchant_id,
        role_id=role.id,
        abilities=abilities,
        active=active,
        by=by,
    )
    return Act(merchant_id, by, tokens.payee_of(role.name, content), do)


def perform(act: Act, *, token: str, at: datetime) -> None:
    """
    Do an act, verified for exactly this; the token is used up in the same transaction.

    Raises: TokenRefused, and what the act refuses; nothing is stored then. Rule: PEO-6.
    """
    with transaction.atomic():
        tokens.consume(
            merchant_id=act.merchant_id,
            user=act.by,
            token=token,
            operation=CHANGE,
            amount=NOTHING,
            payee=act.payee,
            at=at,
        )
        act.do()


def rehearse(act: Act) -> None:
    """Raise what would refuse the act, before anybody proves anything; nothing is stored."""
    with transaction.atomic():
        act.do()
        transaction.set_rollback(True)


def _role(role: str, custom_role: CustomRole | None) -> dict[str, Any]:
    """Describe what is given, to the ability: a role changed meanwhile is another act."""
    return {
        "role": role,
        "custom_role": None if custom_role is None else custom_role.id,
        "abilities": sorted(str(one) for one in abilities_of(role, custom_role)),
    }
