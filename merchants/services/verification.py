"""Verification: proofs by the matrix, then a token for one act (S2-10)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from django.db import connection, transaction
from django.db.models import Q
from django.db.transaction import TransactionManagementError
from django.utils.translation import gettext as _

from config.errors import DomainError
from foundation import registries
from foundation.models import User
from foundation.money import Money
from merchants.models import Ability, VerificationRule, VerificationToken
from merchants.models.verification import TOKEN_LIFETIME
from merchants.services import membership as memberships
from merchants.services import payment_password as payment_passwords

_NO_PROOFS: Final[Mapping[str, str]] = MappingProxyType({})


class OperationNotVerifiable(DomainError):
    """No rule says which proofs this operation needs, so none is good enough."""

    code = "verification_rule_missing"
    http_status = 403


class ProofMissing(DomainError):
    """A factor the rule asks for was not given."""

    code = "verification_proof_missing"
    http_status = 403


class TokenRefused(DomainError):
    """
    The token does not open this act. `reason` (unknown, used, expired, other_user,
    other_operation, other_amount, other_payee) is for the log; people read one sentence.
    """

    code = "verification_token_refused"
    http_status = 403

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            _("The verification is not valid (any more): verify once again."), reason=reason
        )


def factors_for(*, operation: str, amount: Money) -> Sequence[str]:
    """
    Return the factors an operation of that size needs: the row of the currency before the row of
    all, and of those the highest tier reached.

    Raises: OperationNotVerifiable.
    Rule:   VER-1 (docs/rules/verification.md).
    """
    rule = (
        VerificationRule.objects.filter(
            Q(currency=amount.currency) | Q(currency=""),
            operation=operation,
            from_amount_minor__lte=amount.minor,
        )
        .order_by("-currency", "-from_amount_minor")
        .first()
    )
    if rule is None:
        raise OperationNotVerifiable(_("Nobody may do this yet: no rule names the proofs."))
    return tuple(rule.factors)


def issue(
    *,
    merchant_id: int,
    user: User,
    operation: str,
    amount: Money,
    payee: str,
    payment_password: str,
    at: datetime,
    proofs: Mapping[str, str] = _NO_PROOFS,
) -> str:
    """
    Check every factor the matrix asks for and return a token for exactly this act, good once.

    `payee` names the destination (the bank account's id). A failed proof is counted by its factor
    and committed, so this is never called inside a transaction of somebody else.

    Raises: Forbidden, OperationNotVerifiable, ProofMissing, and what the factors raise.
    Rule:   VER-2.
    """
    memberships.require(merchant_id=merchant_id, user=user, ability=Ability.WITHDRAW)
    given = {**proofs, payment_passwords.FACTOR: payment_password}
    factors = factors_for(operation=operation, amount=amount)
    for name in factors:
        if not given.get(name):
            raise ProofMissing(_("A proof is missing: %(factor)s.") % {"factor": name})
        prove = registries.verification_factors.get(name)
        prove(merchant_id=merchant_id, user=user, proof=given[name], at=at)
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        VerificationToken.objects.create(
            merchant_id=merchant_id,
            user=user,
            operation=operation,
            amount_minor=amount.minor,
            currency=amount.currency,
            payee=payee,
            factors=list(factors),
            token_hash=_hash(token),
            issued_at=at,
            expires_at=at + TOKEN_LIFETIME,
        )
    return token


def consume(
    *,
    merchant_id: int,
    user: User,
    token: str,
    operation: str,
    amount: Money,
    payee: str,
    at: datetime,
) -> int:
    """
    Use a token up and return its id, inside the transaction of the act it allows.

    The row is locked until that transaction ends: of two that come with the same token one waits
    and is refused, and a token whose act rolls back is good again.

    Raises: TokenRefused; TransactionManagementError outside of a transaction (a bug).
    Rule:   VER-3.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("consume() belongs into the transaction of the act")
    row = (
        VerificationToken.objects.select_for_update()
        .filter(merchant_id=merchant_id, token_hash=_hash(token))
        .first()
    )
    if row is None:
        raise TokenRefused("unknown")
    if row.used_at is not None:
        raise TokenRefused("used")
    if not row.issued_at <= at < row.expires_at:
        raise TokenRefused("expired")
    asked = {
        "other_user": row.user_id == user.pk,
        "other_operation": row.operation == operation,
        "other_amount": (row.amount_minor, row.currency) == (amount.minor, amount.currency),
        "other_payee": row.payee == payee,
    }
    for reason, same in asked.items():
        if not same:
            raise TokenRefused(reason)
    row.used_at = at
    row.save(update_fields=["used_at"])
    return row.id


def _hash(token: str) -> bytes:
    """Hash a token of 256 random bits."""
    return hashlib.sha256(token.encode()).digest()
