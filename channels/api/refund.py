"""Refunds of the merchant's payments."""

from __future__ import annotations

from typing import Any

from django.urls import path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from channels.models import Refund
from channels.selectors import refund as refunds
from channels.selectors.refund import Place
from config.errors import NotFound
from foundation.api.fields import BookQuery, NumberedPageQuery
from foundation.api.pagination import Listing, filters_of, instant_and_id
from merchants.api.view import BookView
from merchants.models import Scope


class RefundBookingOutput(serializers.Serializer[Any]):
    """Where a refund's money came from, in minor units; the parts sum to the refund."""

    from_pending_minor = serializers.IntegerField()
    from_available_minor = serializers.IntegerField()
    to_debt_minor = serializers.IntegerField()
    fee_returned_minor = serializers.IntegerField()


class RefundOutput(serializers.Serializer[Refund]):
    """A refund; `booking` is null until it is booked."""

    refund_no = serializers.CharField()
    payment_no = serializers.CharField(source="payment.payment_no")
    order_no = serializers.CharField(source="payment.order_no")
    amount_minor = serializers.IntegerField()
    currency = serializers.CharField()
    refunded_at = serializers.DateTimeField()
    business_date = serializers.DateField()
    booking = serializers.SerializerMethodField()

    @extend_schema_field(RefundBookingOutput(allow_null=True))
    def get_booking(self, refund: Refund) -> Any:
        """Return the booking, once there is one."""
        booked = list(refund.bookings.all())
        return RefundBookingOutput(booked[0]).data if booked else None


class RefundPage(serializers.Serializer[Any]):
    """A page of refunds, latest first."""

    items = RefundOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class Refunds(BookView):
    """GET refunds."""

    required_scopes = {"GET": Scope.REFUNDS_READ}

    @extend_schema(
        operation_id="refund_list",
        parameters=[NumberedPageQuery],
        responses=RefundPage,
        tags=["refunds"],
    )
    def get(self, request: Request) -> Response:
        """Return a page of the merchant's refunds, latest first."""
        merchant, params = self.book(request, NumberedPageQuery)
        listing = Listing("refund", merchant.id, filters_of(params))
        place = instant_and_id(listing.place(params.get("cursor")))
        found = refunds.page(
            merchant_id=merchant.id,
            behind=Place(*place) if place else None,
            order_no=params.get("order_no", ""),
            limit=params["limit"] + 1,
        )
        page = listing.page(
            found, params["limit"], lambda last: (last.refunded_at.isoformat(), last.id)
        )
        return Response(RefundPage(page).data)


class RefundDetail(BookView):
    """GET refunds/{number}."""

    required_scopes = {"GET": Scope.REFUNDS_READ}

    @extend_schema(
        operation_id="refund_get", parameters=[BookQuery], responses=RefundOutput, tags=["refunds"]
    )
    def get(self, request: Request, number: str) -> Response:
        """Return one refund by its number."""
        merchant, _params = self.book(request)
        found = refunds.by_number(merchant_id=merchant.id, refund_no=number)
        if found is None:
            raise NotFound(_("There is no such refund."))
        return Response(RefundOutput(found).data)


urlpatterns = [
    path("refunds", Refunds.as_view(), name="refunds"),
    path("refunds/<str:number>", RefundDetail.as_view(), name="refund"),
]
