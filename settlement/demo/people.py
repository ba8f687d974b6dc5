"""Who works in the demo: staff, a merchant's people, keys, bank accounts, standing instructions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from foundation.models import User
from foundation.money import Money
from merchants.models import ApiKey, BankAccount, Membership, Merchant
from merchants.models.api_key import KIND_SCOPES
from merchants.services import (
    account,
    api_key,
    bank_account,
    membership,
    payment_password,
)
from settlement.services import standing_instruction

CURRENCY: Final = "CNY"
WITH_ACCOUNT: Final = 48  # merchants with an approved bank account
INSTRUCTED: Final = 30  # of them paid by standing instruction


# User name, person, role (docs/rules/roles.md), what for.
_STAFF: Final = (
    ("admin", "周岚", "", "may do everything"),
    ("operator", "张敏", "operator", "operations: proposes"),
    ("reviewer", "赵雪", "reviewer", "first review of applications"),
    ("checker", "李强", "checker", "second pair of eyes: decides"),
    ("risk", "孙磊", "risk", "freezes at once"),
    ("auditor", "陈静", "auditor", "reads everything"),
)


class Login(NamedTuple):
    """One row of the demo's list of logins; the secrets are made anew by each demo."""

    door: str
    name: str
    password: str
    note: str


def _staff(username: str, person: str, role: str, at: datetime) -> str:
    """Make one of the staff with a new password, and return that; without a role he may do all."""
    made = account.ensure(
        username=username,
        name=person,
        staff=True,
        superuser=not role,
        groups=[role] if role else [],
        rotate=True,
        at=at,
    )
    return made.password


def sign_ins(owner_of: Merchant, at: datetime) -> tuple[User, list[Login], str]:
    """Make staff and the owner of one merchant; return the owner, the logins and the PIN."""
    staff = [
        Login("admin/", name, _staff(name, person, role, at), note)
        for name, person, role, note in _STAFF
    ]
    owner = account.ensure(
        username="owner",
        name="王芳",
        email="owner@example.com",
        staff=False,
        rotate=True,
        at=at,
    )
    membership.grant(merchant_id=owner_of.id, user=owner.user, role=Membership.Role.OWNER, at=at)
    pin = payment_password.generate()
    payment_password.set_password(
        merchant_id=owner_of.id, user=owner.user, payment_password=pin, at=at
    )
    logins = [
        *staff,
        Login("portal/", "owner", owner.password, f"{owner_of.name}; payment password {pin}"),
    ]
    return owner.user, logins, pin


def colleague(name: str) -> User:
    """Return one of the demo's staff by user name."""
    return User.objects.get(username=name)


def program_key(merchant: Merchant, at: datetime) -> Login:
    """Make an API key of a merchant with every scope it may have; its token is seen once."""
    scopes = sorted(KIND_SCOPES[ApiKey.Kind.MERCHANT])
    issued = api_key.create(merchant=merchant, name="demo program", scopes=scopes, at=at)
    if not issued.created:
        issued = api_key.rotate(merchant_id=merchant.id, key_id=issued.key.id)
    return Login(
        "api/v1/",
        f"{merchant.merchant_no} (API)",
        issued.token,
        "all that a merchant's program may; see api/docs/",
    )


def bank_accounts(merchants: Sequence[Merchant], at: datetime) -> list[BankAccount]:
    """Give merchants approved bank accounts, and some of them a standing instruction."""
    made = []
    for place, merchant in enumerate(merchants[:WITH_ACCOUNT]):
        added = bank_account.add(
            merchant_id=merchant.id,
            number=_card_number(place),
            holder=merchant.name,
            bank_name="演示银行",
            currency=CURRENCY,
            at=at,
        )
        found = bank_account.verify(
            merchant_id=merchant.id,
            bank_account_id=added.account.id,
            approved_payee=True,
            note="demo",
            at=at,
        )
        if place < INSTRUCTED:
            standing_instruction.create_by_operator(
                merchant_id=merchant.id,
                bank_account_id=found.id,
                keep=Money(0, CURRENCY),
                minimum=Money(1_00, CURRENCY),
                at=at,
            )
        made.append(found)
    return made


def _card_number(place: int) -> str:
    """Return a made-up card number whose Luhn digit is right."""
    body = f"622848{place:012d}"
    digits = [int(char) for char in reversed(body)]
    total = sum(sum(divmod(d * 2, 10)) if i % 2 == 0 else d for i, d in enumerate(digits))
    return body + str(-total % 10)
