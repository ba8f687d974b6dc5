"""Recording payments one call at a time: up to a thousand, all or none, cleared a moment later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from channels.models import Payment
from channels.services import payment_import
from config.errors import DomainError, Forbidden, Malformed
from foundation import canonical, sql
from foundation.csv_intake import BadRow, FileRefused, Staged
from foundation.money import Money
from foundation.services import outbox
from merchants.models import ApiKey, Scope
from merchants.selectors import partner_grant as partner_grants
from merchants.services import house

MAX_PAYMENTS: Final = 1_000
_TABLE: Final = "intake_recorded"


class CallSizeRefused(Malformed):
    """A call carries 1 to 1,000 payments."""

    code = "payments_count"


class PaymentsRefused(DomainError):
    """
    One payment or more of a call was refused, so nothing of it was stored.

    `bad` lists what is wrong; its `row` is the index in the call, from 0.
    """

    code = "payments_refused"
    http_status = 400

    def __init__(self, bad: Sequence[BadRow]) -> None:
        self.bad = tuple(bad)
        message = ngettext(
            "%(count)s value was refused.", "%(count)s values were refused.", len(bad)
        )
        super().__init__(message % {"count": len(bad)}, bad=self.bad)


def record(*, payments: Sequence[Mapping[str, Any]], by: ApiKey, at: datetime) -> list[Payment]:
    """
    Store 1 to 1,000 payments as facts and promise their clearing; return them in the call's order.

    Each has the columns of a payments file as text, but `amount_minor`, an integer of the minor
    unit, in place of `amount`. The same payment again is known and returned; the same number with
    other content is refused. Booking follows in small bulk entries, so a merchant with many calls
    is not locked by each of them (S4-26). To a partner's key a merchant it may not act for is
    unknown.

    Raises: Forbidden for a key that may not record; CallSizeRefused; PaymentsRefused naming index,
            field and reason. Nothing is stored then.
    Rule:   PAY-5, KEY-6 (docs/rules/payments.md).
    """
    if not 1 <= len(payments) <= MAX_PAYMENTS:
        message = _("A call carries 1 to %(most)s payments; this one has %(count)s.")
        raise CallSizeRefused(message % {"most": MAX_PAYMENTS, "count": len(payments)})
    if not by.active or Scope.PAYMENTS_RECORD not in by.scopes:
        raise Forbidden(_("This key may not record payments."))
    within = None
    if by.kind != ApiKey.Kind.INSTITUTION:
        numbers = {str(payment.get("merchant_no")) for payment in payments}
        granted = partner_grants.merchants_of(key=by, merchant_nos=numbers)
        within = [merchant.id for merchant in granted]
    with transaction.atomic():
        try:
            staged = _stage(payments)
            new = payment_import.store(staged, name="api", at=at, within=within)
        except FileRefused as refusal:
            raise PaymentsRefused([_by_index(row) for row in refusal.bad]) from None
        if new:
            outbox.add("channels.clear_pending", merchant_id=house.house().id, payload={})
    return _in_order(payments)


def _stage(payments: Sequence[Mapping[str, Any]]) -> Staged:
    columns = payment_import.COLUMNS
    texts = ", ".join(f"{name} text NOT NULL" for name in columns)
    sql.execute(
        f"DROP TABLE IF EXISTS pg_temp.{_TABLE}, pg_temp.{_TABLE}_bad;"
        f" CREATE TEMPORARY TABLE {_TABLE} (row_no bigint NOT NULL, {texts}) ON COMMIT DROP;"
        f" CREATE TEMPORARY TABLE {_TABLE}_bad (row_no bigint NOT NULL, column_name text NOT NULL,"
        " value text NOT NULL, reason text NOT NULL, detail text NOT NULL DEFAULT '')"
        " ON COMMIT DROP"
    )
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY pg_temp.{_TABLE} (row_no, {', '.join(columns)}) FROM STDIN") as copy,
    ):
        for index, payment in enumerate(payments):
            copy.write_row((index, *(_text(payment, name) for name in columns)))
    content = canonical.sha256([dict(payment) for payment in payments]).hex()
    return Staged(f"pg_temp.{_TABLE}", len(payments), content, 0)


def _text(payment: Mapping[str, Any], column: str) -> str:
    if column != "amount":
        return str(payment.get(column) or "")
    try:
        return Money(int(payment["amount_minor"]), str(payment["currency"])).major
    except DomainError:  # an unknown currency is reported in its own column
        return str(payment["amount_minor"])


def _by_index(row: BadRow) -> BadRow:
    column = "amount_minor" if row.column == "amount" else row.column
    return BadRow(row.row, column, row.value, row.reason, row.detail)


def _in_order(payments: Sequence[Mapping[str, Any]]) -> list[Payment]:
    numbers = {str(payment["payment_no"]) for payment in payments}
    books = {str(payment["merchant_no"]) for payment in payments}
    stored = {
        (payment.merchant.merchant_no, payment.payment_no): payment
        for payment in Payment.objects.filter(
            payment_no__in=numbers, merchant__merchant_no__in=books
        ).select_related("merchant", "product", "channel")
    }
    return [stored[str(each["merchant_no"]), str(each["payment_no"])] for each in payments]
