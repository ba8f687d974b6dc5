"""One effect per Idempotency-Key, the same bytes for every repetition (money-safety section 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import OperationalError, transaction
from django.http import HttpResponse
from django.utils.translation import gettext as _
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from config.errors import DomainError
from foundation import clock, retry
from foundation.api import problem, throttle
from foundation.services import idempotency
from foundation.services.idempotency import Began, ClaimLost, Conflict, InFlight, Replay

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the work came to: an HTTP status and a value that JSON can say."""

    status: int
    content: Any


Work = Callable[[Began], Answer]


def answer_once(
    request: Request,
    *,
    merchant_id: int,
    asked: Any,
    work: Work,
    at: datetime,
    whole: bool = False,
    caller: str = "",
) -> HttpResponse:
    """
    Do `work` once under the request's key and answer, or answer what was answered before.

    Call it when the request is validated: `asked` is its body. `work` opens its own transactions
    and has to find what it did before a crash by its order number; with `whole` everything is one
    transaction, the stored answer included. A refusal with status 400 is not stored, every other
    is. `caller` sets keys of callers apart that share a book.

    Raises: KeyMissing, KeyMalformed, KeyReused, RequestInFlight, ClaimLost, refusals with 400.
    Rule:   IK-1 to IK-5 (docs/rules/idempotency.md).
    """
    begun = idempotency.begin(
        merchant_id=merchant_id,
        method=str(request.method),
        path=request.path + (f"#{caller}" if caller else ""),
        key=idempotency.require_key(request.headers.get("Idempotency-Key")),
        fingerprint=idempotency.fingerprint(asked),
        at=at,
    )
    match begun:
        case Replay(status, content_type, stored):
            throttle.give_back(request)
            headers = {"Idempotency-Replayed": "true"}
            return HttpResponse(stored, status=status, content_type=content_type, headers=headers)
        case InFlight(seconds):
            raise idempotency.RequestInFlight(
                _("The first request under this key is still at work."), retry_after=seconds
            )
        case Conflict():
            raise idempotency.KeyReused(_("This Idempotency-Key was used for another body."))
        case Began():
            return _first(begun, work, whole=whole)


def _first(began: Began, work: Work, *, whole: bool) -> HttpResponse:
    def together() -> HttpResponse:
        with transaction.atomic(durable=True):
            idempotency.lock(began)
            return _settle(began, work(began), JSON)

    try:
        return retry.retried(together) if whole else _settle(began, work(began), JSON)
    except ClaimLost as lost:
        lost.details["retry_after"] = 1
        raise
    except DomainError as refusal:
        if refusal.http_status == 400:
            idempotency.abandon(began)
        if refusal.http_status == 400 or refusal.http_status >= 500:
            raise
        said = Answer(refusal.http_status, problem.of_refusal(refusal))
        return _settle(began, said, problem.CONTENT_TYPE)
    except OperationalError as error:
        if retry.is_passing(error):  # rolled back for certain, so the key can be given back
            idempotency.abandon(began)
        raise


def _settle(began: Began, answer: Answer, content_type: str) -> HttpResponse:
    """Store the answer, then give it. Raises ClaimLost."""
    raw = JSONRenderer().render(answer.content)
    idempotency.complete(
        began, status=answer.status, body=raw, at=clock.now(), content_type=content_type
    )
    return HttpResponse(raw, status=answer.status, content_type=content_type)
