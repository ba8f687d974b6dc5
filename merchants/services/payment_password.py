"""The payment password (支付密码): set, checked, counted, locked."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import argon2
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import DomainError, Malformed
from foundation import actor
from foundation.models import User
from foundation.money import Money
from foundation.selectors import password_reset as password_resets
from foundation.services import audit
from foundation.verification import FactorLocked, Presented, ProofField, VerificationFactor
from merchants.models import Ability, PaymentPassword
from merchants.services import membership as memberships
from merchants.services import pepper
from merchants.services import verification_token as tokens

MAX_FAILURES: Final = 5
LOCKED_FOR: Final = timedelta(hours=24)
NAME: Final = "payment_password"
SET: Final = "payment_password.set"  # as verification tokens name it
CHANGE: Final = "payment_password.change"
RESET: Final = "payment_password.reset"
WHO: Final = (Ability.WITHDRAW, Ability.MANAGE)  # whose acts the matrix asks it for
_SHAPE: Final = re.compile(r"[0-9]{6,12}")
_COMMON: Final = frozenset(
    """
    147258 147369 159357 159753 258369 520131 521521 584520 696969 131452 110110 100200 102030
    123654 123789 147852 159951 789456 987456 456123 321654 741852 963852 110119 168168 518518
    """.split()  # noqa: SIM905
)


class PaymentPasswordWeak(Malformed):
    """Too short, not digits, or among the first an attacker tries."""

    code = "payment_password_weak"


class PaymentPasswordWrong(DomainError):
    """Not the payment password. Says how many tries are left."""

    code = "payment_password_wrong"
    http_status = 403


class PaymentPasswordLocked(FactorLocked):
    """Too many failures; nothing is compared until the lock ends."""

    code = "payment_password_locked"


class PaymentPasswordNotSet(DomainError):
    """This person has no payment password with this merchant."""

    code = "payment_password_not_set"


class ResetTooSoon(DomainError):
    """The sign-in password came by e-mail a short while ago, as the code would: one mailbox."""

    code = "payment_password_reset_too_soon"
    http_status = 403


class PaymentPasswordKnown(DomainError):
    """This person has a payment password with this merchant; it is changed or reset, not set."""

    code = "payment_password_known"


def set_password(*, merchant_id: int, user: User, payment_password: str, at: datetime) -> None:
    """
    Set or replace a payment password; failures and lock end.

    The caller has proved who the person is (an operator on the server; the portal goes by
    `replace`). Raises: PaymentPasswordWeak; Forbidden for somebody who neither withdraws nor
    manages. Rule: VER-4 (docs/rules/verification.md).
    """
    memberships.require(merchant_id=merchant_id, user=user, ability=WHO)
    require_strong(payment_password)
    fresh = hashed(payment_password)
    with transaction.atomic():
        actor.stamp_transaction()
        PaymentPassword.objects.update_or_create(
            merchant_id=merchant_id,
            user=user,
            defaults={
                "password_hash": fresh,
                "pepper": pepper.name(pepper.current()),
                "failed_count": 0,
                "locked_until": None,
                "changed_at": at,
            },
        )
        audit.record(
            merchant_id=merchant_id,
            action="payment_password.set",
            object_kind="user",
            object_id=str(user.pk),
        )


def replace(
    *, merchant_id: int, user: User, operation: str, hashed: str, token: str, at: datetime
) -> None:
    """
    Set, change or reset (`operation`) a payment password by its hash; failures and lock end.

    The token is used up in the same transaction. Only who has none sets one, and only who has one
    changes or resets it, so the proofs of one are none for the other.
    Raises: TokenRefused, Forbidden, PaymentPasswordNotSet, PaymentPasswordKnown, ResetTooSoon.
    Rule:   VER-13.
    """
    if operation != CHANGE:
        require_other_proof(user=user, at=at)
    with transaction.atomic():
        actor.stamp_transaction()
        tokens.consume(
            merchant_id=merchant_id,
            user=user,
            token=token,
            operation=operation,
            amount=Money(0, "CNY"),
            payee=str(user.pk),
            at=at,
        )
        own = PaymentPassword.objects.filter(merchant_id=merchant_id, user=user)
        fresh = {
            "password_hash": hashed,
            "pepper": "",  # found at its first use: it may have changed since the hash was made
            "failed_count": 0,
            "locked_until": None,
            "changed_at": at,
        }
        if operation == SET:
            made = PaymentPassword(merchant_id=merchant_id, user=user, **fresh)
            if own.exists() or not PaymentPassword.objects.bulk_create(
                [made], ignore_conflicts=True
            ):
                raise PaymentPasswordKnown(_("There is a payment password already."))
        elif not own.update(**fresh):
            raise PaymentPasswordNotSet(_("Set a payment password first."))
        audit.record(
            merchant_id=merchant_id,
            action=operation,
            object_kind="user",
            object_id=str(user.pk),
        )


def require_other_proof(*, user: User, at: datetime) -> None:
    """
    Raise ResetTooSoon for 24 hours after the sign-in password was reset by e-mail: who has nothing
    but the mailbox shall not get a payment password by it as well. Rule: VER-13.
    """
    if password_resets.lately(user, at):
        raise ResetTooSoon(
            _("Your sign-in password was reset by e-mail: this is possible 24 hours after it.")
        )


def generate() -> str:
    """Return a random payment password that is not weak."""
    while True:
        password = f"{secrets.randbelow(10**6):06d}"
        try:
            require_strong(password)
        except PaymentPasswordWeak:
            continue
        return password


def check(*, merchant_id: int, user: User, payment_password: str, at: datetime) -> None:
    """
    Pass when the password is right; else count the failure, so it commits by itself.

    The row is locked while it is compared: parallel tries are counted one by one, and the fifth
    failure in a row locks for LOCKED_FOR. Never call it inside a transaction that may roll back.

    Raises: PaymentPasswordWrong, PaymentPasswordLocked, PaymentPasswordNotSet.
    Rule:   VER-5.
    """
    with transaction.atomic(durable=True):
        refusal = _compare(merchant_id, user, payment_password, at)
    if refusal is not None:
        raise refusal


def _prove(presented: Presented) -> None:
    check(
        merchant_id=presented.merchant_id,
        user=presented.user,
        payment_password=presented.given[NAME],
        at=presented.at,
    )


FACTOR: Final = VerificationFactor(
    NAME,
    gettext_lazy("payment password"),
    level=1,
    fields=(ProofField(NAME, gettext_lazy("Payment password"), max_length=12, numeric=True),),
    check=_prove,
)


def _compare(
    merchant_id: int, user: User, payment_password: str, at: datetime
) -> DomainError | None:
    actor.stamp_transaction()
    row = (
        PaymentPassword.objects.select_for_update()
        .filter(merchant_id=merchant_id, user=user)
        .first()
    )
    if row is None:
        return PaymentPasswordNotSet(_("Set a payment password first."))
    if row.locked_until is not None and at < row.locked_until:
        return _locked()
    failed = 0 if row.locked_until is not None else row.failed_count
    if _matches(row, payment_password):
        if row.pepper != pepper.name(pepper.current()) or hasher().check_needs_rehash(
            row.password_hash
        ):
            row.password_hash = hashed(payment_password)
            row.pepper = pepper.name(pepper.current())
        row.failed_count, row.locked_until = 0, None
        row.save(update_fields=["password_hash", "pepper", "failed_count", "locked_until"])
        return None
    row.failed_count = failed + 1
    row.locked_until = at + LOCKED_FOR if row.failed_count >= MAX_FAILURES else None
    row.save(update_fields=["failed_count", "locked_until"])
    if row.locked_until is not None:
        audit.record(
            merchant_id=merchant_id,
            action="payment_password.lock",
            object_kind="user",
            object_id=str(user.pk),
        )
        return _locked()
    left = MAX_FAILURES - row.failed_count
    return PaymentPasswordWrong(
        _("The payment password is wrong; %(left)s tries are left.") % {"left": left}, left=left
    )


def _locked() -> PaymentPasswordLocked:
    return PaymentPasswordLocked(
        _("The payment password is locked after %(count)s failures.") % {"count": MAX_FAILURES}
    )


def require_strong(password: str) -> None:
    """Raise PaymentPasswordWeak for what is too short or easy to guess. Rule: VER-4."""
    if not _SHAPE.fullmatch(password):
        raise PaymentPasswordWeak(_("A payment password has 6 to 12 digits."))
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(password)}
    repeats = any(
        password == (password[:size] * len(password))[: len(password)] for size in (1, 2, 3)
    )
    if steps in ({1}, {9}) or repeats or password in _COMMON or len(set(password)) < 3:
        raise PaymentPasswordWeak(_("This payment password is too easy to guess."))


def _peppered(known: str, password: str) -> str:
    """Mix in what is not in the database, so that its hashes alone are worth nothing."""
    return hmac.digest(known.encode(), password.encode(), hashlib.sha256).hex()


def hashed(password: str) -> str:
    """Return the hash of a payment password, salted and with the present pepper. Rule: VER-4."""
    return hasher().hash(_peppered(pepper.current(), password))


def _matches(row: PaymentPassword, password: str) -> bool:
    """Compare with the pepper of the row. Raises PepperUnknown: then nothing is counted."""
    peppers = pepper.named(row.pepper)
    if not peppers:
        raise pepper.PepperUnknown(_("Payment passwords cannot be checked now; please tell us."))
    for known in peppers:
        try:
            return hasher().verify(row.password_hash, _peppered(known, password))
        except argon2.exceptions.VerifyMismatchError:
            continue
    return False


def hasher() -> argon2.PasswordHasher:
    """Return Argon2id with the cost of the settings; a hash of another cost is made anew."""
    cost: dict[str, Any] = settings.PAYMENT_PASSWORD_ARGON2
    return argon2.PasswordHasher(**cost)
