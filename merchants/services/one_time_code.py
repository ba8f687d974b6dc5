"""The one-time code (动态码): made for one verification request, sent to the person, compared."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import DomainError
from foundation import registries
from foundation.money import Money
from foundation.services import outbox
from foundation.verification import Letter, Presented, ProofField, VerificationFactor
from merchants.models import OneTimeCode, VerificationRequest
from merchants.models.one_time_code import CODE_LIFETIME, MAX_SENT
from merchants.services import factor_count, pepper

NAME: Final = "one_time_code"
SEND: Final = "merchants.send_one_time_code"
PAUSE: Final = timedelta(minutes=1)  # between two codes of one request


class CodeWrong(DomainError):
    """Not the code. Says how many tries are left."""

    code = "one_time_code_wrong"
    http_status = 403


class CodeGone(DomainError):
    """No code was sent for this request, or its minutes are over: another one must be sent."""

    code = "one_time_code_gone"
    http_status = 403


class CodeNotSent(DomainError):
    """No (further) code can be sent now; the message says why and from when on."""

    code = "one_time_code_not_sent"


def prepare(presented: Presented) -> None:
    """
    Make a code for the request and promise to send it. Its digits are nowhere in the message.

    Raises: CodeNotSent, SentTooOften, FactorLocked.
    Rule:   VER-6, VER-8 (docs/rules/verification.md).
    """
    who: dict[str, Any] = {"merchant_id": presented.merchant_id, "user": presented.user}
    if not presented.user.email:
        raise CodeNotSent(_("Your account has no e-mail address to send a code to: please ask us."))
    with transaction.atomic(durable=True):
        factor_count.count_sent(**who, factor=NAME, at=presented.at)  # locks until we are done
        last = newest(merchant_id=presented.merchant_id, request_id=presented.request_id)
        if last is not None and last.sequence >= MAX_SENT:
            raise CodeNotSent(
                _("%(count)s codes were sent for this: please begin again.") % {"count": MAX_SENT}
            )
        if last is not None and presented.at < last.created_at + PAUSE:
            raise CodeNotSent(_("A code was sent just now: wait a minute for the next one."))
        code = OneTimeCode(
            merchant_id=presented.merchant_id,
            request_id=presented.request_id,
            sequence=1 if last is None else last.sequence + 1,
            created_at=presented.at,
            expires_at=presented.at + CODE_LIFETIME,
        )
        bound = _bound(code)
        code.code_hash = _hash(pepper.current(), bound, _derived(pepper.current(), bound))
        code.save(force_insert=True)
        payload = {"merchant_id": presented.merchant_id, "code_id": code.id}
        outbox.add(SEND, merchant_id=presented.merchant_id, payload=payload, key=str(code.id))


def check(presented: Presented) -> None:
    """
    Pass when the code is the last one sent for this very request and its minutes are not over.

    Every comparison takes a try. Raises: CodeWrong, CodeGone, FactorLocked. Rule: VER-6, VER-7.
    """
    who: dict[str, Any] = {
        "merchant_id": presented.merchant_id,
        "user": presented.user,
        "factor": NAME,
    }
    factor_count.require_unlocked(**who, at=presented.at)
    code = newest(merchant_id=presented.merchant_id, request_id=presented.request_id)
    if code is None or not code.created_at <= presented.at < code.expires_at:
        raise CodeGone(_("The code is no longer good: let us send another one."))
    left = factor_count.take(**who, at=presented.at)
    given, bound = presented.given[NAME].strip(), _bound(code)
    hashes = [_hash(known, bound, given) for known in pepper.known()]
    if not any(hmac.compare_digest(bytes(code.code_hash), one) for one in hashes):
        if not left:
            factor_count.require_unlocked(**who, at=presented.at)
        raise CodeWrong(
            _("The code is wrong; %(left)s tries are left.") % {"left": left}, left=left
        )
    factor_count.right(**who)


def send(*, merchant_id: int, code_id: int, at: datetime) -> None:
    """
    Send a code by ONE_TIME_CODE_SENDER, unless it was sent, replaced or is over by now.

    Twice at the same moment sends the same code twice, which harms nobody. Raises what the sender
    raises (the outbox tries again), PepperUnknown. Rule: VER-6.
    """
    code = (
        OneTimeCode.objects.filter(merchant_id=merchant_id, id=code_id)
        .select_related("request__user", "request__merchant")
        .first()
    )
    if code is None or code.sent_at is not None or at >= code.expires_at:
        return
    last = newest(merchant_id=merchant_id, request_id=code.request_id)
    if last is None or last.id != code.id:
        return
    registries.code_senders.get(settings.ONE_TIME_CODE_SENDER)(_letter(code, _digits(code)))
    with transaction.atomic(durable=True):
        OneTimeCode.objects.filter(merchant_id=merchant_id, id=code_id).update(sent_at=at)


def newest(*, merchant_id: int, request_id: int) -> OneTimeCode | None:
    """Return the last code of a request: the only one that may pass."""
    codes = OneTimeCode.objects.filter(merchant_id=merchant_id, request_id=request_id)
    return codes.order_by("-sequence").first()


def _digits(code: OneTimeCode) -> str:
    """Derive the code again; a pepper changed meanwhile is found by the hash."""
    bound = _bound(code)
    for known in pepper.known():
        digits = _derived(known, bound)
        if hmac.compare_digest(bytes(code.code_hash), _hash(known, bound, digits)):
            return digits
    raise pepper.PepperUnknown("The pepper of this code is not on this machine.")


def _derived(known: str, bound: str) -> str:
    return f"{int.from_bytes(pepper.mixed(known, 'one-time code', bound)) % 10**6:06d}"


def _hash(known: str, bound: str, digits: str) -> bytes:
    return pepper.mixed(known, "hash of a one-time code", f"{bound}\n{digits}")


def _bound(code: OneTimeCode) -> str:
    """Return what a code is for: who, what, how much, to whom, under which request number."""
    asked = VerificationRequest.objects.get(merchant_id=code.merchant_id, id=code.request_id)
    parts = (
        *(code.uuid, asked.merchant_id, asked.number, asked.user_id, asked.operation),
        *(asked.amount_minor, asked.currency, asked.payee),
    )
    return "\n".join(str(part) for part in parts)


def _letter(code: OneTimeCode, digits: str) -> Letter:
    """Say what the code is for, in the person's language, so that nobody is talked into it."""
    asked = code.request
    operation = registries.verified_operations.get(asked.operation)
    with translation.override(asked.user.language):
        lines = [
            _("Your code: %(digits)s") % {"digits": digits},
            "",
            _("For: %(operation)s") % {"operation": operation.title},
            _("Merchant: %(merchant)s") % {"merchant": asked.merchant.name},
        ]
        if asked.amount_minor:
            amount = Money(asked.amount_minor, asked.currency)
            lines.append(_("Amount: %(amount)s") % {"amount": amount.grouped})
        payee = operation.payee(merchant_id=asked.merchant_id, payee=asked.payee)
        if payee:
            lines.append(_("To: %(payee)s") % {"payee": payee})
        until = timezone.localtime(code.expires_at)
        lines += [
            _("Good until %(until)s.") % {"until": f"{until:%H:%M:%S}"},
            "",
            _("We never ask for it. If you did not want this, tell us at once."),
        ]
        return Letter(asked.user.email, _("Your one-time code"), "\n".join(lines))


FACTOR: Final = VerificationFactor(
    NAME,
    gettext_lazy("one-time code"),
    level=2,
    fields=(
        ProofField(
            NAME,
            gettext_lazy("Code from our e-mail"),
            max_length=6,
            numeric=True,
            hidden=False,
            complete="one-time-code",
        ),
    ),
    check=check,
    prepare=prepare,
)
