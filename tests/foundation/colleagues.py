"""Colleagues, as the tests bring them in, and what is proposed about them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group

from foundation import clock
from foundation.models import Approval, User
from foundation.services import approval as approvals
from foundation.services import staff_account as staff_accounts
from tests.factories import portal
from tests.factories.foundation import UserFactory


def one_of(*roles: str, **fields: Any) -> User:
    """Somebody of staff with a password."""
    user: User = UserFactory.create(is_staff=True, language="en", **fields)
    user.set_password(portal.PASSWORD)
    user.save()
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def colleague_proposed(maker: User, **other: Any) -> Approval:
    words: dict[str, Any] = {
        "username": "dan.li",
        "name": "Dan Li",
        "email": "dan@example.com",
        "language": "en",
        "role_names": ["finance", "operator"],
        "reason": "joins the team",
        **other,
    }
    return staff_accounts.propose_new(**words, maker=maker, at=clock.now())


def roles_proposed(user: User, *names: str, maker: User) -> Approval:
    return staff_accounts.propose_roles(
        user_id=str(user.pk), role_names=names, reason="moves", maker=maker, at=clock.now()
    )


def on_proposed(user: User, maker: User) -> Approval:
    return staff_accounts.propose_on(
        user_id=str(user.pk), reason="back", maker=maker, at=clock.now()
    )


def off(user: User, by: User) -> User:
    return staff_accounts.switch_off(
        user_id=str(user.pk), reason="phone stolen", by=by, at=clock.now()
    )


def approve(proposal: Approval, checker: User) -> None:
    approvals.decide(
        approval_id=proposal.id,
        merchant_id=proposal.merchant_id,
        checker=checker,
        approve=True,
        reason="",
        seen_sha256=proposal.content_sha256,
        at=clock.now(),
    )
