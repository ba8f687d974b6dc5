"""Rules of the matrix as two persons put them in force, requests, and the codes that were sent."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core import mail
from django.test import Client

from foundation.money import Money
from foundation.services import approval as approvals
from merchants.models import Membership, VerificationRequest
from merchants.services import one_time_code as codes
from merchants.services import payment_password as payment_passwords
from merchants.services import verification
from merchants.services import verification_rule as rules
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MembershipFactory

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
PIN = "285913"
PAYEE, ELSEWHERE = (f"00000000-0000-4000-8000-00000000000{digit}" for digit in (7, 8))
FIFTY = Money(50_00, "CNY")


def rule(
    *factors: str,
    operation: str = "withdrawal",
    currency: str = "",
    tier: int = 0,
    together: bool = False,
    in_force: bool = True,
) -> None:
    """Put a row of the matrix in force, by two persons."""
    made = rules.propose(
        operation=operation,
        currency=currency,
        from_amount_minor=tier,
        factors=factors,
        together=together,
        in_force=in_force,
        reason="the board",
        maker=UserFactory(is_staff=True),
        at=NOON,
        expires_at=NOON + timedelta(days=7),
    )
    approvals.decide(
        approval_id=made.id,
        merchant_id=made.merchant_id,
        checker=UserFactory(is_staff=True, is_superuser=True),
        approve=True,
        reason="",
        seen_sha256=made.content_sha256,
        at=NOON,
    )


def member(**fields: Any) -> Membership:
    """Return an owner with the payment password PIN and an e-mail address."""
    made: Membership = MembershipFactory(**fields)
    made.user.email = made.user.email or f"{made.user.username}@example.com"
    made.user.save()
    payment_passwords.set_password(
        merchant_id=made.merchant_id, user=made.user, payment_password=PIN, at=NOON
    )
    return made


def prove(client: Client, address: str, given: dict[str, Any], password: str = PIN) -> Any:
    """Send a form and then each proof that its pages ask for; return the last answer."""
    answer = client.post(address, given)
    for _step in range(4):
        step = answer.context.get("step") if answer.context else None
        if step is None or step.problems or answer.context.get("made"):
            return answer
        unseen = given
        if "sealed" in answer.context:
            unseen = {"sealed": answer.context["sealed"], "replaces": given.get("replaces", "")}
        proofs = {"verification": step.request.number, "step": "confirm"}
        for name in step.form.fields:
            proofs[name] = password if name == "payment_password" else code(step.request, step.at)
        answer = client.post(address, unseen | proofs)
    return answer


def ask(one: Membership, at: datetime = NOON, **changed: Any) -> VerificationRequest:
    """Open a request, for a withdrawal of 50.00 CNY to PAYEE unless something else is said."""
    act: dict[str, Any] = {
        "merchant_id": one.merchant_id,
        "user": one.user,
        "operation": "withdrawal",
        "amount": FIFTY,
        "payee": PAYEE,
        "at": at,
    }
    return verification.open_request(**{**act, **changed})


def code(request: VerificationRequest, at: datetime = NOON) -> str:
    """Have the last code of a request sent by mail, and return its digits."""
    last = codes.newest(merchant_id=request.merchant_id, request_id=request.id)
    assert last is not None
    codes.send(merchant_id=request.merchant_id, code_id=last.id, at=at)
    return digits(str(mail.outbox[-1].body))


def digits(text: str) -> str:
    """Return the code of a letter."""
    found = re.search(r"\b[0-9]{6}\b", text)
    assert found is not None
    return found[0]


def other(right: str) -> str:
    """Return six digits that are not these."""
    return f"{(int(right) + 1) % 10**6:06d}"


def sent(one: Membership, at: datetime = NOON, **changed: Any) -> tuple[VerificationRequest, str]:
    """Open a request whose factor is a code, have it sent, and return both."""
    request = ask(one, at=at, **changed)
    verification.prepare(request=request, at=at)
    return request, code(request, at)


def give(request: VerificationRequest, at: datetime = NOON, **given: str) -> str | None:
    """Give proofs for a request."""
    return verification.prove(request=request, given=given, at=at)
