"""Where the merchant's money is, by currency."""

from __future__ import annotations

from typing import Any

from django.urls import path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import NotFound
from foundation.api.fields import BookQuery
from merchants.api.view import BookView
from merchants.models import Scope
from settlement.selectors import merchant_balance as balances


class BalanceOutput(serializers.Serializer[Any]):
    """One currency's balances in minor units; `available` is what could be withdrawn now."""

    merchant_no = serializers.CharField()
    currency = serializers.CharField()
    pending = serializers.IntegerField()
    available = serializers.IntegerField()
    held = serializers.IntegerField()
    reserve = serializers.IntegerField()
    debt = serializers.IntegerField()
    waiting_refunds = serializers.IntegerField()
    paid_out = serializers.IntegerField()
    payout_fees = serializers.IntegerField()


class BalanceList(serializers.Serializer[Any]):
    """Every currency the merchant ever had money in."""

    items = BalanceOutput(many=True)


class Balances(BookView):
    """GET balances."""

    required_scopes = {"GET": Scope.BALANCES_READ}

    @extend_schema(
        operation_id="balance_list",
        parameters=[BookQuery],
        responses=BalanceList,
        tags=["balances"],
    )
    def get(self, request: Request) -> Response:
        """Return the merchant's balances by currency."""
        merchant, _params = self.book(request)
        found = balances.of_merchant(merchant_id=merchant.id)
        return Response(BalanceList({"items": found}).data)


class BalanceDetail(BookView):
    """GET balances/{currency}."""

    required_scopes = {"GET": Scope.BALANCES_READ}

    @extend_schema(
        operation_id="balance_get",
        parameters=[BookQuery],
        responses=BalanceOutput,
        tags=["balances"],
    )
    def get(self, request: Request, currency: str) -> Response:
        """Return the merchant's balance in one currency."""
        merchant, _params = self.book(request)
        for found in balances.of_merchant(merchant_id=merchant.id):
            if found.currency == currency:
                return Response(BalanceOutput(found).data)
        raise NotFound(_("The merchant has no balance in this currency."))


urlpatterns = [
    path("balances", Balances.as_view(), name="balances"),
    path("balances/<str:currency>", BalanceDetail.as_view(), name="balance"),
]
