"""One page per payment: how its money went, from the customer to the merchant's bank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.formats import localize
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe

from channels.models import Payment, Pricing, RefundBooking
from channels.selectors import pricing as prices
from foundation.admin.columns import grouped
from foundation.money import Money
from ledger.admin.journal import of_entry
from ledger.models import JournalEntry, Posting, PostingLine
from settlement.models import BankLine, Due, Exposure, Item, Line, PayoutAttempt, Withdrawal
from settlement.models.due import SourceKind

MOST = 50  # entries, refunds, withdrawals and attempts of one payment that are shown


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a station: what, its value, where to read on."""

    label: str
    value: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Station:
    """One station of the way; one without facts has not been reached."""

    title: str
    facts: tuple[Fact, ...] = ()
    postings: Sequence[tuple[Posting, str, str, str]] = ()
    note: str = ""


@require_safe
def page(request: HttpRequest, payment_id: int) -> HttpResponse:
    """Show the chain payment -> price -> entry -> line -> batch -> withdrawal -> attempt."""
    if not request.user.has_perm("channels.view_payment"):
        raise PermissionDenied
    known = Payment.objects.select_related("merchant", "product", "channel")
    payment = get_object_or_404(known, pk=payment_id)
    context = {
        **admin.site.each_context(request),
        "title": _("The way of payment %(number)s") % {"number": payment.payment_no},
        "stations": stations(payment),
    }
    return TemplateResponse(request, "admin/payment_trail.html", context)


def stations(payment: Payment) -> list[Station]:
    """Return every station in order; a bounded number of statements, all by key."""
    line = _line(payment)
    withdrawals = _withdrawals(line)
    return [
        _taken_in(payment),
        _priced(payment),
        *_booked(payment),
        *_refunded(payment),
        _due(payment),
        *_settled(payment, line),
        *_paid_out(line, withdrawals),
    ]


def _taken_in(payment: Payment) -> Station:
    return Station(
        _("The payment came in"),
        (
            Fact(_("payment number"), payment.payment_no, _address(payment)),
            Fact(_("order number"), payment.order_no),
            Fact(_("merchant"), str(payment.merchant), _address(payment.merchant)),
            Fact(_("amount"), grouped(Money(payment.amount_minor, payment.currency))),
            Fact(_("product"), str(payment.product)),
            Fact(_("channel"), str(payment.channel)),
            Fact(_("captured at"), localize(localtime(payment.captured_at))),
            Fact(_("business date"), localize(payment.business_date)),
        ),
    )


def _priced(payment: Payment) -> Station:
    title = _("Priced")
    known = Pricing.objects.filter(merchant=payment.merchant_id, payment=payment.pk)
    of_price = ("payment", "fee_rule__merchant", "fee_rule__product", "fee_rule__channel", "chunk")
    pricing = known.select_related(*of_price).first()
    if pricing is None:
        return Station(title, note=_("No price yet: nothing is booked for it."))
    return Station(
        title,
        (
            Fact(_("fee"), grouped(Money(pricing.fee_minor, payment.currency)), _address(pricing)),
            Fact(_("fee version"), str(pricing.fee_rule), _address(pricing.fee_rule)),
            *(Fact(_("how it came about"), line) for line in prices.explain(pricing).lines),
            Fact(_("clearing chunk"), str(pricing.chunk_id), _address(pricing.chunk)),
        ),
    )


def _booked(payment: Payment) -> Iterator[Station]:
    """Yield every entry with a line for the payment, and its postings."""
    lines = PostingLine.objects.filter(
        merchant=payment.merchant_id, fact_kind="payment", fact_id=payment.pk
    ).select_related("posting__entry")
    found = list(lines.order_by("id")[:MOST])
    if not found:
        yield Station(_("Booked in the ledger"))
    for line in found:
        amount = grouped(Money(line.amount_minor, payment.currency))
        facts = (
            *_entry(line.posting.entry),
            Fact(_("its line in the posting"), amount, _address(line)),
        )
        yield Station(_("Booked in the ledger"), facts, of_entry(line.posting.entry))


def _refunded(payment: Payment) -> Iterator[Station]:
    bookings = RefundBooking.objects.filter(
        merchant=payment.merchant_id, refund__payment=payment.pk
    ).select_related("refund")
    for booking in bookings.order_by("id")[:MOST]:
        parts = (
            (_("amount"), booking.amount_minor),
            (_("from pending"), booking.from_pending_minor),
            (_("from available"), booking.from_available_minor),
            (_("to debt"), booking.to_debt_minor),
            (_("fee returned"), booking.fee_returned_minor),
        )
        amounts = [
            Fact(label, grouped(Money(minor, payment.currency))) for label, minor in parts if minor
        ]
        number = Fact(_("refund number"), booking.refund.refund_no, _address(booking.refund))
        yield Station(_("Refunded"), (number, *amounts, *_netted(booking)))


def _netted(booking: RefundBooking) -> Iterator[Fact]:
    """Yield the items in which the refund's parts out of pending money were netted."""
    lines = Line.objects.filter(merchant=booking.merchant_id, source_id=booking.refund_id)
    refunds = lines.exclude(source_kind=SourceKind.PAYMENT).select_related("item")
    for line in refunds.order_by("source_kind"):
        yield Fact(line.get_source_kind_display(), str(line.item), _address(line.item))


def _due(payment: Payment) -> Station:
    due = Due.objects.filter(
        merchant=payment.merchant_id, source_kind=SourceKind.PAYMENT, source_id=payment.pk
    ).first()
    if due is None:
        return Station(_("Due for settlement"))
    return Station(
        _("Due for settlement"),
        (
            Fact(_("amount"), grouped(Money(due.amount_minor, due.currency)), _address(due)),
            Fact(_("due date"), localize(due.due_date) if due.due_date else "–"),
            Fact(_("schedule"), due.schedule_code),
            Fact(_("explanation"), due.get_explanation_display()),
        ),
    )


def _line(payment: Payment) -> Line | None:
    lines = Line.objects.filter(
        merchant=payment.merchant_id, source_kind=SourceKind.PAYMENT, source_id=payment.pk
    )
    return lines.select_related("item__batch", "item__entry").first()


def _settled(payment: Payment, line: Line | None) -> Iterator[Station]:
    if line is None:
        yield Station(_("Settled"))
        return
    item = line.item
    batch = item.batch
    facts = (
        Fact(
            _("settlement line"),
            grouped(Money(line.amount_minor, payment.currency)),
            _address(line),
        ),
        Fact(_("item"), str(item), _address(item)),
        Fact(_("batch"), str(batch), _address(batch)),
        Fact(_("state"), item.get_state_display()),
        *_parts(item),
        *(_entry(item.entry) if item.entry else ()),
    )
    postings = of_entry(item.entry) if item.entry else []
    yield Station(_("Settled"), facts, postings, note=item.reason)


def _parts(item: Item) -> Iterator[Fact]:
    """Yield what the item did beside settling: debt repaid, money advanced and its price."""
    for label, minor in (
        (pgettext("settlement", "to debt"), item.to_debt_minor),
        (_("surcharge"), item.surcharge_minor),
    ):
        if minor:
            yield Fact(label, grouped(Money(minor, item.currency)))
    for exposure in Exposure.objects.filter(merchant=item.merchant_id, item=item.pk):
        yield Fact(_("advance"), str(exposure), _address(exposure))


def _withdrawals(line: Line | None) -> list[Withdrawal]:
    if line is None:
        return []
    found = Withdrawal.objects.filter(merchant=line.merchant_id, item=line.item_id)
    return list(found.select_related("bank_account").order_by("id")[:MOST])


def _paid_out(line: Line | None, withdrawals: list[Withdrawal]) -> Iterator[Station]:
    """Yield withdrawals of the item with their attempts and bank lines."""
    if not withdrawals:
        arrived = line is not None and line.item.state in (Item.State.POSTED, Item.State.CLOSED)
        note = _("The money is on the merchant's balance; a withdrawal takes from the whole of it.")
        yield Station(_("Withdrawal"), note=note if arrived else "")
    for withdrawal in withdrawals:
        yield Station(
            _("Withdrawal"),
            (
                Fact(_("number"), withdrawal.number, _address(withdrawal)),
                Fact(_("amount"), grouped(withdrawal.amount)),
                Fact(_("fee"), grouped(withdrawal.fee)),
                Fact(_("bank account"), str(withdrawal.bank_account)),
                Fact(_("status"), withdrawal.get_status_display()),
            ),
        )
        attempts = PayoutAttempt.objects.filter(
            merchant=withdrawal.merchant_id, withdrawal=withdrawal.pk
        )
        for attempt in attempts.select_related("channel").order_by("attempt_no")[:MOST]:
            yield _attempt(attempt)


def _attempt(attempt: PayoutAttempt) -> Station:
    lines = BankLine.objects.filter(merchant=attempt.merchant_id, attempt=attempt.pk)
    return Station(
        _("Payout attempt"),
        (
            Fact(_("number"), attempt.number, _address(attempt)),
            Fact(_("channel"), str(attempt.channel)),
            Fact(_("amount"), grouped(attempt.amount)),
            Fact(_("status"), attempt.get_status_display()),
            *(
                Fact(_("bank line"), line.get_kind_display(), _address(line))
                for line in lines.order_by("id")[:MOST]
            ),
        ),
    )


def _entry(entry: JournalEntry) -> tuple[Fact, ...]:
    return (
        Fact(_("journal entry"), str(entry), _address(entry)),
        Fact(_("booked at"), localize(localtime(entry.booked_at))),
    )


def _address(row: Model) -> str:
    names: Any = row._meta
    return reverse(f"admin:{names.app_label}_{names.model_name}_change", args=[row.pk])
