"""A merchant's settlements and the payments and refunds inside each."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.urls import path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import NotFound
from foundation.api.fields import BookQuery, Currency, DatedPageQuery, PageQuery
from foundation.api.pagination import Listing, Place, filters_of
from merchants.api.view import BookView
from merchants.models import Merchant, Scope
from settlement.models import Item
from settlement.models.due import SourceKind
from settlement.selectors import item as items
from settlement.selectors.item import ItemPosition, SettledFact


class SettlementQuery(DatedPageQuery):
    """Settlements of run dates, in one currency or in all."""

    currency = Currency(required=False)


class SettlementOutput(serializers.Serializer[Item]):
    """
    What one run settled for the merchant in one currency.

    `net_minor` is the sum of its lines. Once posted it is `to_debt_minor` (debt repaid; below zero
    when the net became debt) plus `surcharge_minor` (for early settlement) plus
    `to_available_minor`.
    """

    number = serializers.CharField()
    run_date = serializers.DateField()
    cycle = serializers.IntegerField()
    currency = serializers.CharField()
    state = serializers.ChoiceField(choices=Item.State.choices)
    reason = serializers.CharField()
    line_count = serializers.IntegerField()
    net_minor = serializers.IntegerField()
    to_debt_minor = serializers.IntegerField()
    surcharge_minor = serializers.IntegerField()
    to_available_minor = serializers.IntegerField()
    posted_at = serializers.DateTimeField(allow_null=True)


class SettlementPage(serializers.Serializer[Any]):
    """A page of settlements, latest first."""

    items = SettlementOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class SettlementLineOutput(serializers.Serializer[SettledFact]):
    """
    A payment or refund inside a settlement; `amount_minor` is the signed part that this settlement
    moves. `gross_minor` is the whole of it, below zero for a refund; `fee_minor` is a payment's.
    """

    kind = serializers.ChoiceField(choices=SourceKind.choices)
    number = serializers.CharField()
    order_no = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)
    gross_minor = serializers.IntegerField(source="gross.minor", allow_null=True)
    fee_minor = serializers.IntegerField(source="fee.minor", allow_null=True)
    amount_minor = serializers.IntegerField(source="net.minor")


class SettlementLinePage(serializers.Serializer[Any]):
    """A page of a settlement's lines, in one fixed order."""

    items = SettlementLineOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class Settlements(BookView):
    """GET settlement-batches."""

    required_scopes = {"GET": Scope.SETTLEMENTS_READ}

    @extend_schema(
        operation_id="settlement_batch_list",
        parameters=[SettlementQuery],
        responses=SettlementPage,
        tags=["settlements"],
    )
    def get(self, request: Request) -> Response:
        """Return a page of the merchant's settlements, latest first."""
        merchant, params = self.book(request, SettlementQuery)
        listing = Listing("settlement", merchant.id, filters_of(params))
        found = items.of_merchant(
            merchant_id=merchant.id,
            below=_position(listing.place(params.get("cursor"))),
            limit=params["limit"] + 1,
            since=params.get("since"),
            until=params.get("until"),
            currency=params.get("currency", ""),
        )
        page = listing.page(
            found,
            params["limit"],
            lambda last: (last.run_date.isoformat(), last.cycle, last.currency),
        )
        return Response(SettlementPage(page).data)


class SettlementDetail(BookView):
    """GET settlement-batches/{number}."""

    required_scopes = {"GET": Scope.SETTLEMENTS_READ}

    @extend_schema(
        operation_id="settlement_batch_get",
        parameters=[BookQuery],
        responses=SettlementOutput,
        tags=["settlements"],
    )
    def get(self, request: Request, number: str) -> Response:
        """Return one settlement by its number."""
        merchant, _params = self.book(request)
        return Response(SettlementOutput(_found(merchant, number)).data)


class SettlementLines(BookView):
    """GET settlement-batches/{number}/lines."""

    required_scopes = {"GET": Scope.SETTLEMENTS_READ}

    @extend_schema(
        operation_id="settlement_batch_line_list",
        parameters=[PageQuery],
        responses=SettlementLinePage,
        tags=["settlements"],
    )
    def get(self, request: Request, number: str) -> Response:
        """Return a page of the payments and refunds inside a settlement."""
        merchant, params = self.book(request, PageQuery)
        item = _found(merchant, number)
        listing = Listing("settlement line", merchant.id, {"number": item.number})
        place = listing.place(params.get("cursor"))
        found = items.lines(
            item=item, after=int(place[0]) if place else 0, limit=params["limit"] + 1
        )
        page = listing.page(found, params["limit"], lambda last: (last.id,))
        return Response(SettlementLinePage(page).data)


def _found(merchant: Merchant, number: str) -> Item:
    found = items.by_number(merchant_id=merchant.id, number=number)
    if found is None:
        raise NotFound(_("There is no such settlement."))
    return found


def _position(place: Place | None) -> ItemPosition | None:
    if place is None:
        return None
    run_date, cycle, currency = place
    return ItemPosition(date.fromisoformat(str(run_date)), int(cycle), str(currency))


urlpatterns = [
    path("settlement-batches", Settlements.as_view(), name="settlement_batches"),
    path("settlement-batches/<str:number>", SettlementDetail.as_view(), name="settlement_batch"),
    path(
        "settlement-batches/<str:number>/lines",
        SettlementLines.as_view(),
        name="settlement_batch_lines",
    ),
]
