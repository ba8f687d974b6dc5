"""What moved on the merchant's accounts, with the balance after each movement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from django.urls import path
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.api.fields import Currency, DatedPageQuery
from foundation.api.pagination import Listing, Place, filters_of
from ledger.models.operation import MERCHANT_NAMES as OPERATIONS
from ledger.selectors import balance as balances
from ledger.selectors import statement as statements
from ledger.selectors.statement import Movement, Position, Span
from merchants.api.view import BookView
from merchants.models import Scope

ACCOUNTS: Final = {
    "available": gettext_lazy("Available balance"),
    "pending": gettext_lazy("Pending settlement"),
    "reserve": gettext_lazy("Reserve"),
    "debt": gettext_lazy("Debt"),
}


class StatementQuery(DatedPageQuery):
    """Which account, which business days, which movements."""

    account = serializers.ChoiceField(
        choices=list(ACCOUNTS.items()),
        default="available",
        help_text=gettext_lazy("The part of the balance."),
    )
    currency = Currency(help_text=gettext_lazy("An account has one currency."))
    operation = serializers.ChoiceField(
        choices=list(OPERATIONS.items()),
        required=False,
        help_text=gettext_lazy("Only movements of this kind."),
    )


class Entry(NamedTuple):
    """A movement with the number by which people know its cause."""

    movement: Movement
    reference: str


class MovementOutput(serializers.Serializer[Entry]):
    """
    One movement. `amount_minor` is signed: positive grows the account. `reference` is the number of
    the payment, refund, settlement or withdrawal behind it.
    """

    seq = serializers.IntegerField(source="movement.seq")
    line_no = serializers.IntegerField(source="movement.line_no")
    posted_at = serializers.DateTimeField(source="movement.posted_at")
    operation = serializers.ChoiceField(
        choices=list(OPERATIONS.items()), source="movement.operation"
    )
    amount_minor = serializers.IntegerField(source="movement.amount_minor")
    balance_after_minor = serializers.IntegerField(source="movement.balance_after")
    cause = serializers.CharField(source="movement.source_kind")
    reference = serializers.CharField()


class StatementPage(serializers.Serializer[Any]):
    """
    A page of movements, latest first. Over all pages `opening_minor` plus the movements is
    `closing_minor`, unless only one operation was asked for; what is posted later is not in them.
    """

    account = serializers.ChoiceField(choices=list(ACCOUNTS.items()))
    currency = serializers.CharField()
    opening_minor = serializers.IntegerField()
    closing_minor = serializers.IntegerField()
    items = MovementOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class StatementEntries(BookView):
    """GET statement-entries."""

    required_scopes = {"GET": Scope.STATEMENTS_READ}

    @extend_schema(
        operation_id="statement_entry_list",
        parameters=[StatementQuery],
        responses=StatementPage,
        tags=["statements"],
    )
    def get(self, request: Request) -> Response:
        """Return a page of one account's movements in a range of business days, latest first."""
        merchant, params = self.book(request, StatementQuery)
        listing = Listing("statement", merchant.id, filters_of(params))
        place = listing.place(params.get("cursor"))
        below: Position | None = None
        if place is None:
            span = _begin(merchant.id, params)
        else:
            span, below = _resume(merchant.id, place)
        found = statements.page(
            merchant_id=merchant.id,
            account_id=span.account_id,
            below=below,
            within=span,
            operation=params.get("operation", ""),
            limit=params["limit"] + 1,
        )
        page = listing.page(found, params["limit"], lambda last: _end(span, last))
        names = statements.references(merchant_id=merchant.id, found=page.items)
        shown = {
            "account": params["account"],
            "currency": params["currency"],
            "opening_minor": span.opening_minor,
            "closing_minor": span.closing_minor,
            "items": [Entry(*pair) for pair in zip(page.items, names, strict=True)],
            "next_cursor": page.next_cursor,
        }
        return Response(StatementPage(shown).data)


def _begin(merchant_id: int, params: Mapping[str, Any]) -> Span:
    """Return the span asked for; an account that was never opened is an empty one."""
    kind = f"merchant_{params['account']}"
    for account in balances.of_kinds(merchant_id=merchant_id, kinds=[kind]):
        if account.total.currency == params["currency"]:
            return statements.span_of_days(
                merchant_id=merchant_id,
                account_id=account.account_id,
                since=params.get("since"),
                until=params.get("until"),
            )
    return Span(merchant_id, 0, 0, 0, 0, 0)


def _end(span: Span, last: Movement) -> Place:
    """Return where a page ends. The span goes with it, so that all pages tell of one moment."""
    return [
        last.seq,
        last.line_no,
        span.account_id,
        span.floor_seq,
        span.last_seq,
        span.opening_minor,
        span.closing_minor,
    ]


def _resume(merchant_id: int, place: Place) -> tuple[Span, Position]:
    seq, line_no, *rest = map(int, place)
    return Span(merchant_id, *rest), Position(seq, line_no)


urlpatterns = [path("statement-entries", StatementEntries.as_view(), name="statement_entries")]
