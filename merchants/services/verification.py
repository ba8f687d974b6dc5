"""Verification: a request, and the proofs the matrix asks for; then there is a token (S2-10)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from config.errors import DomainError, NotFound
from foundation import actor, registries
from foundation.models import User
from foundation.money import Money
from foundation.verification import FactorLocked, FactorUndecided, Presented, VerificationFactor
from merchants.models import (
    Confirmation,
    OneTimeCode,
    VerificationAttempt,
    VerificationRequest,
    VerificationToken,
)
from merchants.models.verification import BY_OTHERS, REQUEST_LIFETIME, WAIT_LIFETIME
from merchants.services import confirmation as confirmations
from merchants.services import payment_password as payment_passwords
from merchants.services import verification_rule as rules
from merchants.services import verification_token as tokens

Result = VerificationAttempt.Result
_NUMBER: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_NO_PROOFS: Final[Mapping[str, str]] = MappingProxyType({})


class ProofMissing(DomainError):
    """A factor the rule asks for was not given."""

    code = "verification_proof_missing"
    http_status = 403


class ProofsRefused(DomainError):
    """Of proofs that are given together at least one is wrong; nobody learns which."""

    code = "verification_proofs_refused"
    http_status = 403


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a request stands: the factors to give now, those proved, those others still give."""

    now: tuple[VerificationFactor, ...]
    proved: tuple[VerificationFactor, ...]
    waiting: tuple[VerificationFactor, ...]
    others: tuple[VerificationFactor, ...]


def open_request(
    *, merchant_id: int, user: User, operation: str, amount: Money, payee: str, at: datetime
) -> VerificationRequest:
    """
    Open a request for one act: what it needs is fixed now, and asked for again at the end.

    `payee` names the destination (the bank account's uuid), "" for none.
    Raises: Forbidden, OperationNotVerifiable. Rule: VER-2 (docs/rules/verification.md).
    """
    tokens.require_able(merchant_id=merchant_id, user=user, operation=operation)
    needed = rules.needed_of(operation=operation, amount=amount, user=user, at=at)
    with transaction.atomic():
        return VerificationRequest.objects.create(
            merchant_id=merchant_id,
            number=secrets.token_urlsafe(16),
            user=user,
            operation=operation,
            amount_minor=amount.minor,
            currency=amount.currency,
            payee=payee,
            factors=list(needed.factors),
            together=needed.together,
            stepped_up=needed.stepped_up,
            opened_at=at,
            expires_at=at + (WAIT_LIFETIME if needed.by_others else REQUEST_LIFETIME),
        )


def find(
    *,
    merchant_id: int,
    user: User,
    number: str,
    operation: str,
    amount: Money,
    payee: str,
    at: datetime,
) -> VerificationRequest:
    """
    Return the open request of that number, if it is this person's and for exactly this act.

    Raises: NotFound (also when anything differs: what was proved for one act is for no other).
    """
    if not _NUMBER.fullmatch(number):
        raise NotFound(_("There is no such verification."))
    request = VerificationRequest.objects.filter(
        merchant_id=merchant_id,
        number=number,
        user=user,
        operation=operation,
        amount_minor=amount.minor,
        currency=amount.currency,
        payee=payee,
        opened_at__lte=at,
        expires_at__gt=at,
    ).first()
    if request is None or _has_token(request) or _is_late(request, at):
        raise NotFound(_("There is no such verification."))
    return request


def waiting(
    *, merchant_id: int, user: User, number: str, operation: str, at: datetime
) -> VerificationRequest | None:
    """Return this person's open request of that number which others confirm, or None."""
    if not _NUMBER.fullmatch(number):
        return None
    request = VerificationRequest.objects.filter(
        merchant_id=merchant_id,
        number=number,
        user=user,
        operation=operation,
        opened_at__lte=at,
        expires_at__gt=at,
        factors__overlap=list(BY_OTHERS),
    ).first()
    return None if request is None or _has_token(request) else request


def asked(request: VerificationRequest) -> Asked:
    """Return where a request stands."""
    passed = set(
        VerificationAttempt.objects.filter(
            merchant_id=request.merchant_id, verification=request, result=Result.PASSED
        ).values_list("factor", flat=True)
    )
    factors = [registries.verification_factors.get(name) for name in request.factors]
    missing = [factor for factor in factors if not factor.by_others and factor.name not in passed]
    now = missing if request.together else missing[:1]
    return Asked(
        now=tuple(now),
        proved=tuple(factor for factor in factors if factor.name in passed),
        waiting=tuple(missing[len(now) :]),
        others=tuple(one for one in factors if one.by_others and one.name not in passed),
    )


def prepare(*, request: VerificationRequest, at: datetime, again: bool = False) -> None:
    """
    Send what the factors of this step need, once; with `again` once more.

    Raises: what the factors raise (a limit, no address). Rule: VER-8.
    """
    sent = OneTimeCode.objects.filter(merchant_id=request.merchant_id, request=request).exists()
    for factor in asked(request).now:
        if factor.prepares and (again or not sent):
            factor.prepare(_presented(request, _NO_PROOFS, at))


def prove(*, request: VerificationRequest, given: Mapping[str, str], at: datetime) -> str | None:
    """
    Check the proofs that are given, as far as the order of the factors goes, and return the token
    once every one was right; None while more are needed.

    A failed proof is counted by its factor and committed, so this is never called inside a
    transaction of somebody else. Each proof leaves an attempt: factor, level, result. Once the own
    ones are right others are asked, and None is returned until they have confirmed.

    Raises: ProofMissing, ProofsRefused, RequestClosed, ConfirmationRefused, and what the factors
            raise.
    Rule:   VER-2, VER-11, VER-15.
    """
    over = not request.opened_at <= at < request.expires_at
    if over or _has_token(request) or _is_late(request, at):
        raise tokens.closed()
    if request.together:
        _prove_together(request, given, at)
    else:
        _prove_in_turn(request, given, at)
    status = asked(request)
    if status.now:
        return None
    _require_nobody_refused(request)
    for factor in status.others:
        factor.prepare(_presented(request, _NO_PROOFS, at))
    return None if status.others else tokens.give(request=request, at=at)


def can_go_on(request: VerificationRequest, *, at: datetime) -> bool:
    """Return whether nobody has to say anything any more, and the act was not done yet."""
    status = asked(request)
    return (
        request.opened_at <= at < request.expires_at
        and not (status.now or status.others)
        and not _has_token(request)
    )


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
    Open a request, give every proof at once, and return the token: for who has them all at hand.

    Raises: as `open_request` and `prove`; ProofMissing when a factor was not given. Rule: VER-2.
    """
    request = open_request(
        merchant_id=merchant_id,
        user=user,
        operation=operation,
        amount=amount,
        payee=payee,
        at=at,
    )
    given = {**proofs, payment_passwords.FACTOR.name: payment_password}
    token = prove(request=request, given=given, at=at)
    if token is None:
        status = asked(request)
        raise _missing((*status.now, *status.others)[0])
    return token


def _prove_in_turn(request: VerificationRequest, given: Mapping[str, str], at: datetime) -> None:
    """Check one factor after the other; what was right stays right for this request."""
    status = asked(request)
    missing = (*status.now, *status.waiting)
    if missing and not _has_all(missing[0], given):
        raise _missing(missing[0])
    for factor in missing:
        if not _has_all(factor, given):
            return
        refusal = _refusal(factor, request, given, at)
        _note(request, {factor: refusal}, at)
        if refusal is not None:
            raise refusal


def _prove_together(request: VerificationRequest, given: Mapping[str, str], at: datetime) -> None:
    """Check every factor, and let all pass or none; the answer names no factor (S2-15)."""
    factors = asked(request).now
    for factor in factors:
        if not _has_all(factor, given):
            raise _missing(factor)
    refusals = {factor: _refusal(factor, request, given, at) for factor in factors}
    _note(request, refusals, at)
    wrong = [refusal for refusal in refusals.values() if refusal is not None]
    for refusal in wrong:
        if isinstance(refusal, FactorLocked | FactorUndecided) or "fields" in refusal.details:
            raise refusal  # a field that cannot be right by itself betrays no other factor
    if wrong:
        raise ProofsRefused(_("At least one of the proofs is not right."))


def _refusal(
    factor: VerificationFactor, request: VerificationRequest, given: Mapping[str, str], at: datetime
) -> DomainError | None:
    if factor.check is None:
        raise LookupError(f"{factor.name} is given by others")
    own = {field.name: given[field.name] for field in factor.fields}
    try:
        factor.check(_presented(request, own, at))
    except DomainError as refusal:
        return refusal
    return None


def _note(
    request: VerificationRequest,
    refusals: Mapping[VerificationFactor, DomainError | None],
    at: datetime,
) -> None:
    """Keep what became of the proofs; a right one that another request was faster with is known."""
    spoilt = any(refusal is not None for refusal in refusals.values())
    who = actor.current()
    attempts = [
        VerificationAttempt(
            merchant_id=request.merchant_id,
            verification=request,
            factor=factor.name,
            result=_result(refusal, spoilt),
            level=factor.level,
            reason="" if refusal is None else refusal.code[:50],
            at=at,
            actor=who.name,
            request_id=who.request_id,
        )
        for factor, refusal in refusals.items()
    ]
    with transaction.atomic(durable=True):
        VerificationAttempt.objects.bulk_create(attempts, ignore_conflicts=True)


def _result(refusal: DomainError | None, spoilt: bool) -> Result:
    if refusal is None:
        return Result.SPOILT if spoilt else Result.PASSED
    if isinstance(refusal, FactorLocked):
        return Result.LOCKED
    return Result.UNDECIDED if isinstance(refusal, FactorUndecided) else Result.REFUSED


def _presented(request: VerificationRequest, given: Mapping[str, str], at: datetime) -> Presented:
    return Presented(request.merchant_id, request.user, request.id, at, given)


def _is_late(request: VerificationRequest, at: datetime) -> bool:
    """Return whether own proofs are missing and their minutes are over, though others may wait."""
    return at >= request.opened_at + REQUEST_LIFETIME and bool(asked(request).now)


def _require_nobody_refused(request: VerificationRequest) -> None:
    refused = Confirmation.objects.filter(
        merchant_id=request.merchant_id,
        verification=request,
        state=Confirmation.State.REFUSED,
    ).first()
    if refused is not None:
        raise confirmations.ConfirmationRefused(
            _("This was refused (%(factor)s): %(note)s")
            % {
                "factor": registries.verification_factors.get(refused.factor).title,
                "note": refused.note or "-",
            }
        )


def _has_token(request: VerificationRequest) -> bool:
    return VerificationToken.objects.filter(
        merchant_id=request.merchant_id, request=request
    ).exists()


def _has_all(factor: VerificationFactor, given: Mapping[str, str]) -> bool:
    return all(given.get(field.name) for field in factor.fields)


def _missing(factor: VerificationFactor) -> ProofMissing:
    return ProofMissing(_("A proof is missing: %(factor)s.") % {"factor": factor.title})
