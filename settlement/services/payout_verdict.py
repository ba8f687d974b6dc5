"""What one piece of news means for an attempt: the table of the rules, and nothing written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from channels.adapters.base import Evidence, Kind
from settlement.models import PayoutAttempt, PayoutEvidence

Status = PayoutAttempt.Status
Source = PayoutEvidence.Source
BACKOFF_SECONDS: Final = (5, 15, 60, 300, 600)  # then the last one again and again


class Verdict(StrEnum):
    """What one piece of news does to an attempt: the rows of the table."""

    NOTHING = "NOTHING"  # known, or says nothing new
    PAY = "PAY"  # paid for certain
    PAY_AND_RETURN = "PAY_AND_RETURN"  # sent back, so it had been paid
    RETURN = "RETURN"  # sent back by the bank
    PROCESS = "PROCESS"  # accepted, in process
    DOUBT = "DOUBT"  # nobody knows: ask
    COOL = "COOL"  # a failure that may be final: wait, then ask once more
    FAIL = "FAIL"  # final: cooled, and a query agreed
    RESEND = "RESEND"  # it is proved that nothing left us
    LATE_SUCCESS = "LATE_SUCCESS"  # paid after the hold was given back
    CONTRADICT = "CONTRADICT"  # a failure after success, without a return
    MISMATCH = "MISMATCH"  # names another amount, currency, payee or number
    CASE = "CASE"  # only a person can tell
    DECIDED = "DECIDED"  # two persons have told (settlement/services/payout_decision.py)


_V, _K = Verdict, Kind
_LIVE_ROW: Final = {
    _K.SUCCESS: _V.PAY,
    _K.RETURNED: _V.PAY_AND_RETURN,
    _K.PROCESSING: _V.NOTHING,
    _K.FAILED_CODE: _V.COOL,
    _K.NOT_FOUND: _V.DOUBT,
    _K.CONTENT_DIFFERS: _V.DOUBT,
    _K.UNKNOWN: _V.DOUBT,
    _K.NOT_SENT: _V.NOTHING,
}
TABLE: Final[Mapping[PayoutAttempt.Status, Mapping[Kind, Verdict]]] = {
    Status.READY: dict.fromkeys(Kind, _V.CASE),  # nothing was sent, so nothing can be known
    Status.SENDING: _LIVE_ROW | {_K.PROCESSING: _V.PROCESS, _K.NOT_SENT: _V.RESEND},
    Status.PROCESSING: _LIVE_ROW | {_K.UNKNOWN: _V.NOTHING, _K.CONTENT_DIFFERS: _V.NOTHING},
    Status.UNKNOWN: _LIVE_ROW,
    Status.SUCCEEDED: dict.fromkeys(Kind, _V.NOTHING)
    | {_K.FAILED_CODE: _V.CONTRADICT, _K.RETURNED: _V.RETURN},
    Status.FAILED: dict.fromkeys(Kind, _V.NOTHING)
    | {
        _K.SUCCESS: _V.LATE_SUCCESS,
        _K.RETURNED: _V.LATE_SUCCESS,
        _K.PROCESSING: _V.CASE,
    },
    Status.RETURNED: dict.fromkeys(Kind, _V.NOTHING),
    Status.DISPUTED: dict.fromkeys(Kind, _V.NOTHING),
}
_OURS: Final = frozenset({Source.DECISION, Source.RECOVERY})
_SAYS_NOTHING: Final = frozenset({Kind.UNKNOWN, Kind.NOT_SENT, Kind.CONTENT_DIFFERS})
_MUST_NAME: Final = frozenset({Kind.SUCCESS, Kind.RETURNED})


def judge(
    attempt: PayoutAttempt,
    source: PayoutEvidence.Source,
    evidence: Evidence,
    *,
    at: datetime,
    fence: int | None = None,
) -> Verdict:
    """Look the step up: the table of money-safety section 6. Writes nothing."""
    status, kind = Status(attempt.status), evidence.kind
    if source not in _OURS and kind not in _SAYS_NOTHING and differences(attempt, evidence):
        return Verdict.MISMATCH
    verdict = TABLE[status][kind]
    if verdict == Verdict.RESEND and fence != attempt.fence:
        return Verdict.NOTHING  # not the sender that holds the lease: it cannot know
    if status == Status.UNKNOWN and verdict == Verdict.COOL and attempt.failure_seen_at:
        cooled = at >= attempt.failure_seen_at + cooling(attempt)
        return Verdict.FAIL if cooled and source == Source.QUERY else Verdict.NOTHING
    return verdict


def differences(attempt: PayoutAttempt, evidence: Evidence) -> list[str]:
    """Return what the news name otherwise than the attempt, or must name and do not."""
    found = [] if evidence.order_no == attempt.number else ["order_no"]
    named = {
        "amount": (evidence.amount, attempt.amount),
        "payee": (evidence.payee_hash or None, attempt.payee_hash),
    }
    for name, (said, ours) in named.items():
        if (said is None and evidence.kind in _MUST_NAME) or (said is not None and said != ours):
            found.append(name)
    return found


def cooling(attempt: PayoutAttempt) -> timedelta:
    """Return how long a failure of this channel cools."""
    return timedelta(seconds=attempt.channel.cooling_seconds)


def next_query(attempt: PayoutAttempt, at: datetime) -> datetime:
    """Return when to ask again: 5 s, 15 s, 1 min, 5 min, then every 10 min."""
    place = min(attempt.queries, len(BACKOFF_SECONDS) - 1)
    return at + timedelta(seconds=BACKOFF_SECONDS[place])
