"""Day files of payout channels: taken in whole, told to the funnel, booked as bank lines."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from channels.adapters.base import Evidence, Kind, StatementLine, StatementRefused
from foundation import actor, sql
from foundation.money import Money
from ledger.services import account as accounts
from ledger.services import journal
from ledger.services.account import Slice
from ledger.services.journal import credit, debit
from merchants.services import house
from settlement.models import BankLine, PayoutAttempt, PayoutCase, PayoutChannel, PayoutStatement
from settlement.models.payout import PayoutEvidence
from settlement.services import payout_case as cases
from settlement.services import payout_channel as channels
from settlement.services.payout_callback import book_of
from settlement.services.payout_result import apply_result

CAUSE: Final = "payout_statement"
RANGE: Final = 500  # merchants booked in one transaction
_Status = PayoutAttempt.Status
_NEWS: Final = {"PAID": Kind.SUCCESS, "RETURNED": Kind.RETURNED}
# What an attempt must be for its line to have something in transit to complete.
_BOOKABLE: Final = {
    "PAID": frozenset({_Status.SUCCEEDED, _Status.RETURNED, _Status.DISPUTED}),
    "RETURNED": frozenset({_Status.RETURNED}),
}


@dataclass(frozen=True, slots=True)
class Imported:
    """What a day file brought: lines new and known, booked now, and those nobody can explain."""

    statement: PayoutStatement
    new: int
    known: int
    booked: int
    unmatched: int


def fetch(*, channel_code: str, day: date, at: datetime) -> Imported:
    """Get a channel's day file and take it in. Raises StatementUnavailable and as `take_in`."""
    channel = channels.find(channel_code)
    raw = channels.adapter_for(channel).fetch_statement(day)
    return take_in(channel_code=channel_code, day=day, raw=raw, at=at)


def take_in(*, channel_code: str, day: date, raw: bytes, at: datetime) -> Imported:
    """
    Store a day file whole, tell the funnel what it says, and book its lines.

    The same content again stores nothing and only finishes what was left; safe to run again after
    a crash at any point. Raises StatementRefused. Rule: PO-11 (docs/rules/payouts.md).
    """
    channel = channels.find(channel_code)
    lines = list(channels.adapter_for(channel).parse_statement(raw))
    statement, new = _store(channel, day, raw, lines, at)
    _tell(channel, statement, at)
    booked = book(statement=statement, at=at)
    unmatched = BankLine.objects.filter(statement=statement, state=BankLine.State.UNMATCHED).count()
    return Imported(statement, new, len(lines) - new, booked, unmatched)


def book(*, statement: PayoutStatement, at: datetime) -> int:
    """
    Book the file's lines whose payouts are known: the house's entry first, then the merchants'.

    Both carry one cause, so a run that was cut off goes on where it stopped. Returns how many lines
    were booked. Rule: PO-11, and "between books" of the ledger's rules.
    """
    _assign(statement)
    booked = 0
    open_lines = BankLine.objects.filter(statement=statement, state=BankLine.State.RECORDED)
    causes = open_lines.exclude(cause="").values_list("cause", "kind", "currency").distinct()
    for cause, kind, currency in sorted(causes):
        _book_house(statement.channel, cause, kind, currency, at)
        booked += _book_merchants(statement.channel, cause, kind, currency, at)
    _leave_to_people(statement, at)
    return booked


def _store(
    channel: PayoutChannel, day: date, raw: bytes, lines: Sequence[StatementLine], at: datetime
) -> tuple[PayoutStatement, int]:
    """
    Store file and lines in one transaction; a line that is known must be the same.

    A second movement of one order (twice in one file, or under another number or time of the
    channel's) may be money that left twice: it posts nothing and is a case.
    """
    with transaction.atomic(durable=True):
        statement, created = PayoutStatement.objects.get_or_create(
            channel=channel,
            day=day,
            sha256=hashlib.sha256(raw).hexdigest(),
            defaults={"raw": raw, "line_count": len(lines), "actor": actor.current().name},
        )
        if not created:
            return statement, 0
        nobodys = house.house().id
        rows = [_row(channel, statement, line, book_of(line.order_no) or nobodys) for line in lines]
        known = {
            (row.merchant_id, row.order_no, row.kind): row
            for row in BankLine.objects.filter(
                channel=channel, order_no__in=[row.order_no for row in rows]
            )
        }
        fresh = []
        for row in rows:
            former = known.setdefault((row.merchant_id, row.order_no, row.kind), row)
            if former is row:
                fresh.append(row)
            elif (former.amount_minor, former.currency) != (row.amount_minor, row.currency):
                raise StatementRefused(
                    _("Row %(row)s: %(order_no)s is known with another amount.")
                    % {"row": row.line_no, "order_no": row.order_no}
                )
            elif former.statement_id == statement.id or _movement(former) != _movement(row):
                _repeated(statement, former, row, at)
        BankLine.objects.bulk_create(fresh, batch_size=1000)
    return statement, len(fresh)


def _movement(line: BankLine) -> tuple[object, ...]:
    return line.channel_no, line.moved_at, line.payee_hash


def _repeated(statement: PayoutStatement, former: BankLine, row: BankLine, at: datetime) -> None:
    amount = Money(row.amount_minor, row.currency)
    cases.open_case(
        merchant_id=row.merchant_id,
        kind=PayoutCase.Kind.STATEMENT,
        subject=f"{row.kind} {row.order_no} {row.channel_no}"[:100],
        detail=f"{statement} row {row.line_no}: {amount} once more, first {former.channel_no}",
        at=at,
    )


def _row(
    channel: PayoutChannel, statement: PayoutStatement, line: StatementLine, merchant_id: int
) -> BankLine:
    return BankLine(
        merchant_id=merchant_id,
        statement=statement,
        channel=channel,
        line_no=line.line_no,
        kind=line.kind,
        order_no=line.order_no[:64],
        channel_no=line.channel_no[:64],
        amount_minor=line.amount.minor,
        currency=line.amount.currency,
        payee_hash=line.payee_hash[:64],
        moved_at=line.at,
    )


def _tell(channel: PayoutChannel, statement: PayoutStatement, at: datetime) -> None:
    """Let the funnel hear what the file says about payouts that are not yet where it says."""
    waiting = BankLine.objects.filter(statement=statement).exclude(state=BankLine.State.BOOKED)
    for line in waiting.order_by("line_no").iterator():
        attempt = _attempt(channel, line)
        if attempt is None or attempt.status in _BOOKABLE[line.kind]:
            continue
        evidence = Evidence(
            kind=_NEWS[line.kind],
            order_no=line.order_no,
            received_at=at,
            raw=f"{statement.sha256}:{line.line_no}".encode(),
            code=line.kind,
            amount=Money(line.amount_minor, line.currency),
            payee_hash=line.payee_hash,
            channel_no=line.channel_no,
            verified=True,
        )
        apply_result(
            merchant_id=attempt.merchant_id,
            attempt_id=attempt.id,
            source=PayoutEvidence.Source.DAY_FILE,
            evidence=evidence,
            at=at,
        )


def _attempt(channel: PayoutChannel, line: BankLine) -> PayoutAttempt | None:
    return PayoutAttempt.objects.filter(
        merchant_id=line.merchant_id, number=line.order_no, channel=channel
    ).first()


def _assign(statement: PayoutStatement) -> None:
    """Tie every line that can be booked to its attempt and to a cause, once and for all."""
    with transaction.atomic(durable=True):
        PayoutChannel.objects.select_for_update().get(id=statement.channel_id)  # one at a time
        lines = BankLine.objects.filter(statement=statement)
        passes = len(set(lines.exclude(cause="").values_list("cause", flat=True)))
        for kind, states in _BOOKABLE.items():
            passes += 1
            sql.execute(
                sql.load("settlement", "bank_line_assign"),
                {
                    "statement": statement.id,
                    "kind": kind,
                    "states": sorted(states),
                    "cause": f"{statement.channel.code}:{statement.id}:{kind}:{passes}",
                },
            )


def _book_house(channel: PayoutChannel, cause: str, kind: str, currency: str, at: datetime) -> None:
    """Book what left the float, or came back to it, in the house's book."""
    total = sql.rows(
        "SELECT sum(amount_minor)::bigint AS total FROM settlement_bank_line"
        " WHERE cause = %s AND kind = %s AND currency = %s",
        [cause, kind, currency],
    )[0]["total"]
    book = house.house().id
    channel_float = Slice("channel_float", currency, "channel", channel.code)
    between = Slice("between_books", currency)
    ids = accounts.open_slices(merchant_id=book, slices=[channel_float, between])
    postings = [debit(ids[between], "pass", total), credit(ids[channel_float], "pay", total)]
    if kind == BankLine.Kind.RETURNED:
        postings = [debit(ids[channel_float], "return", total), credit(ids[between], "pass", total)]
    journal.post(
        merchant_id=book,
        source_kind=CAUSE,
        source_id=cause,
        postings=postings,
        occurred_at=at,
    )


def _book_merchants(
    channel: PayoutChannel, cause: str, kind: str, currency: str, at: datetime
) -> int:
    """Book each merchant's part, in ranges; each range is a transaction of its own."""
    mine = BankLine.objects.filter(
        cause=cause, kind=kind, currency=currency, state=BankLine.State.RECORDED
    )
    merchant_ids = sorted(set(mine.values_list("merchant_id", flat=True)))
    booked = 0
    for start in range(0, len(merchant_ids), RANGE):
        part = merchant_ids[start : start + RANGE]
        _open_slices(part, channel, currency)
        with transaction.atomic(durable=True):
            waiting = mine.filter(merchant_id__in=part).order_by("merchant_id", "id")
            if not list(waiting.select_for_update().values_list("id", flat=True)):
                continue  # another run of the same file has booked them meanwhile
            call_id = uuid.uuid4()
            params: dict[str, Any] = {
                "call_id": call_id,
                "cause": cause,
                "source_id": cause,
                "source_kind": CAUSE,
                "kind": kind,
                "currency": currency,
                "channel": channel.code,
                "merchants": part,
                "completes": "DR" if kind == BankLine.Kind.PAID else "CR",
                "passes": "CR" if kind == BankLine.Kind.PAID else "DR",
                "sign": -1 if kind == BankLine.Kind.PAID else 1,
                "fact_kind": "payout" if kind == BankLine.Kind.PAID else "payout_return",
                "at": at,
            }
            sql.execute(sql.load("settlement", "bank_line_postings"), params)
            sql.execute(sql.load("settlement", "bank_line_lines"), params)
            journal.post_bulk(call_id=call_id, occurred_at=at)
            booked += sql.execute(sql.load("settlement", "bank_line_booked"), params)
    return booked


def _open_slices(merchant_ids: Iterable[int], channel: PayoutChannel, currency: str) -> None:
    for merchant_id in merchant_ids:
        accounts.open_slices(
            merchant_id=merchant_id,
            slices=[
                Slice("between_books", currency),
                Slice("payout_in_transit", currency, "channel", channel.code),
            ],
        )


def _leave_to_people(statement: PayoutStatement, at: datetime) -> None:
    """A line that fits no payout posts nothing and becomes a case; one that fits now ends its."""
    sql.execute(
        sql.load("settlement", "bank_line_case_ended"),
        {"statement": statement.id, "at": at, "by": actor.current().name},
    )
    lines = BankLine.objects.filter(statement=statement)
    for line in lines.filter(cause="", state=BankLine.State.RECORDED):
        line.state = BankLine.State.UNMATCHED
        line.save(update_fields=["state"])
        cases.open_case(
            merchant_id=line.merchant_id,
            kind=PayoutCase.Kind.STATEMENT,
            subject=f"{line.kind} {line.order_no}",
            detail=f"{statement} row {line.line_no}: {Money(line.amount_minor, line.currency)}",
            at=at,
        )
