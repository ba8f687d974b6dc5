"""The token that says that everything was proved for one act: given once, used once (S2-10)."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.utils.translation import gettext as _

from config.errors import DomainError
from foundation import canonical, registries
from foundation.models import User
from foundation.money import Money
from merchants.models import Ability, VerificationRequest, VerificationToken
from merchants.models.capability import OF_OPERATION
from merchants.models.verification import TOKEN_LIFETIME
from merchants.selectors import capability as capabilities
from merchants.services import membership as memberships
from merchants.services import verification_rule as rules

_WORDS: Final = 35  # of a payee of 100 characters; the rest is the hash


class RequestClosed(DomainError):
    """The request is over: used, too old, or the rules have changed. Begin again."""

    code = "verification_request_closed"


class TokenRefused(DomainError):
    """
    The token does not open this act. `reason` (unknown, used, expired, other_user,
    other_operation, other_amount, other_payee, more_needed) is for the log; people read one
    sentence.
    """

    code = "verification_token_refused"
    http_status = 403

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            _("The verification is not valid (any more): verify once again."), reason=reason
        )


def give(*, request: VerificationRequest, at: datetime) -> str:
    """
    Give the one token of a request whose factors are all proved; the database asks for each proof.

    Raises: RequestClosed when there is one already, or the matrix asks for more by now; Forbidden
            when the person may not do it any more, or the merchant may not.
    Rule:   VER-2, CAP-2.
    """
    require_able(merchant_id=request.merchant_id, user=request.user, operation=request.operation)
    amount = Money(request.amount_minor, request.currency)
    needed = rules.needed(operation=request.operation, amount=amount)
    if not set(needed.factors) <= set(request.factors):
        raise closed()
    token = secrets.token_urlsafe(32)
    try:
        with transaction.atomic():
            VerificationToken.objects.create(
                merchant_id=request.merchant_id,
                request=request,
                user_id=request.user_id,
                operation=request.operation,
                amount_minor=request.amount_minor,
                currency=request.currency,
                payee=request.payee,
                factors=request.factors,
                token_hash=_hash(token),
                issued_at=at,
                expires_at=at + TOKEN_LIFETIME,
            )
    except IntegrityError as refused:
        if "verification_token_of_request" not in str(refused):
            raise
        raise closed() from None
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
    and is refused, and a token whose act rolls back is good again. The person's role and the matrix
    are asked once more.

    Raises: TokenRefused, Forbidden; TransactionManagementError outside of a transaction (a bug).
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
    same = {
        "other_user": row.user_id == user.pk,
        "other_operation": row.operation == operation,
        "other_amount": (row.amount_minor, row.currency) == (amount.minor, amount.currency),
        "other_payee": row.payee == payee,
    }
    for reason, fits in same.items():
        if not fits:
            raise TokenRefused(reason)
    if not set(rules.needed(operation=operation, amount=amount).factors) <= set(row.factors):
        raise TokenRefused("more_needed")
    require_able(merchant_id=merchant_id, user=user, operation=operation)
    row.used_at = at
    row.save(update_fields=["used_at"])
    return row.id


def require_able(*, merchant_id: int, user: User, operation: str) -> None:
    """
    Raise Forbidden unless the person's role with the merchant includes the operation, and the
    merchant may do it, now. Rule: VER-2, CAP-2.
    """
    declared = registries.verified_operations.get(operation)
    abilities = tuple(Ability(one) for one in declared.abilities)
    memberships.require(merchant_id=merchant_id, user=user, ability=abilities)
    if operation in OF_OPERATION:
        capabilities.require(OF_OPERATION[operation], merchant_id=merchant_id)


def payee_of(words: str, content: Any) -> str:
    """
    Name an act that pays nobody for its token: words for people, and a hash of all it does.

    `payee_words` gives the words back. `content` is of strings, integers, lists and mappings.
    """
    shown = "".join(letter for letter in words if letter.isprintable())
    return f"{shown[:_WORDS]} {canonical.sha256(content).hex()}"


def payee_words(*, merchant_id: int, payee: str) -> str:
    """Return the words of a payee that `payee_of` made (VerifiedOperation.payee)."""
    return payee.rpartition(" ")[0]


def closed() -> RequestClosed:
    """Return the refusal of a request that is over."""
    return RequestClosed(_("This verification is over: please begin again."))


def _hash(token: str) -> bytes:
    """Hash a token of 256 random bits."""
    return hashlib.sha256(token.encode()).digest()
