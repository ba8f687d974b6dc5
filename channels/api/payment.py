"""Payments: what the merchant was paid, and recording them by the institution or a partner."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import (
    OpenApiExample,
    PolymorphicProxySerializer,
    extend_schema,
    extend_schema_serializer,
)
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from channels.models import Payment
from channels.selectors import payment as payments
from channels.selectors.payment import Place
from channels.services import payment as payment_service
from config.errors import NotFound
from foundation import clock
from foundation.api.fields import (
    BookQuery,
    Currency,
    MinorUnits,
    NoQuery,
    NumberedPageQuery,
    StrictInput,
    StrictText,
)
from foundation.api.idempotency import Answer, answer_once
from foundation.api.pagination import Listing, filters_of, instant_and_id
from foundation.services.idempotency import Began
from merchants.api.authentication import Principal
from merchants.api.view import BookView
from merchants.models import Scope


class RecordedOutput(serializers.Serializer[Payment]):
    """A payment as it was recorded; it is priced and booked a moment later."""

    payment_no = serializers.CharField()
    order_no = serializers.CharField()
    merchant_no = serializers.CharField(source="merchant.merchant_no")
    product = serializers.CharField(source="product.code")
    channel = serializers.CharField(source="channel.code")
    amount_minor = serializers.IntegerField()
    currency = serializers.CharField()
    captured_at = serializers.DateTimeField()
    business_date = serializers.DateField()
    payer_ref = serializers.CharField(
        source="payer_masked", help_text=gettext_lazy("Masked: it is not kept as it came.")
    )
    code_kind = serializers.CharField()


class RecordedListOutput(serializers.Serializer[Any]):
    """Payments in the order in which they were sent."""

    payments = RecordedOutput(many=True)


class PaymentOutput(RecordedOutput):
    """A payment with its price; `fee_minor` is null until it is priced and booked."""

    fee_minor = serializers.SerializerMethodField(help_text=gettext_lazy("The fee."))
    net_minor = serializers.SerializerMethodField(
        help_text=gettext_lazy("What the merchant gets: the amount less the fee.")
    )

    def get_fee_minor(self, payment: Payment) -> int | None:
        """Return the fee in minor units."""
        prices = list(payment.pricings.all())
        return prices[0].fee_minor if prices else None

    def get_net_minor(self, payment: Payment) -> int | None:
        """Return what the merchant gets in minor units."""
        fee = self.get_fee_minor(payment)
        return None if fee is None else payment.amount_minor - fee


class PaymentPage(serializers.Serializer[Any]):
    """A page of payments, latest first."""

    items = PaymentOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "payment",
            value={
                "payment_no": "P20260302-0001",
                "order_no": "O20260302-0001",
                "merchant_no": "M000001",
                "product": "qr",
                "channel": "wechat",
                "amount_minor": 10_000,
                "currency": "CNY",
                "captured_at": "2026-03-02T10:00:00+08:00",
            },
            request_only=True,
        )
    ]
)
class PaymentInput(StrictInput):
    """A payment to record: a column of the payments file each, the amount in minor units."""

    payment_no = StrictText(max_length=64)
    order_no = StrictText(max_length=64)
    merchant_no = StrictText(max_length=64)
    product = StrictText(max_length=64)
    channel = StrictText(max_length=64)
    amount_minor = MinorUnits()
    currency = Currency()
    captured_at = StrictText(
        max_length=40, help_text=gettext_lazy("ISO 8601 with offset: 2026-01-31T23:59:59+08:00")
    )
    payer_ref = StrictText(max_length=64, required=False, allow_blank=True)
    code_kind = StrictText(
        max_length=20,
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("static, dynamic or scanner; empty where there is no code."),
    )


class PaymentListInput(StrictInput):
    """One to a thousand payments: all are recorded, or none."""

    payments = serializers.ListField(
        child=PaymentInput(), min_length=1, max_length=payment_service.MAX_PAYMENTS
    )


class Payments(BookView):
    """GET and POST payments."""

    required_scopes = {"GET": Scope.PAYMENTS_READ, "POST": Scope.PAYMENTS_RECORD}

    @extend_schema(
        operation_id="payment_list",
        parameters=[NumberedPageQuery],
        responses=PaymentPage,
        tags=["payments"],
    )
    def get(self, request: Request) -> Response:
        """Return a page of the merchant's payments, latest first."""
        merchant, params = self.book(request, NumberedPageQuery)
        listing = Listing("payment", merchant.id, filters_of(params))
        place = instant_and_id(listing.place(params.get("cursor")))
        found = payments.page(
            merchant_id=merchant.id,
            behind=Place(*place) if place else None,
            order_no=params.get("order_no", ""),
            limit=params["limit"] + 1,
        )
        for payment in found:
            payment.merchant = merchant
        page = listing.page(
            found, params["limit"], lambda last: (last.captured_at.isoformat(), last.id)
        )
        return Response(PaymentPage(page).data)

    @extend_schema(
        operation_id="payment_record",
        request=PolymorphicProxySerializer(
            component_name="PaymentRecordInput",
            serializers=[PaymentInput, PaymentListInput],
            resource_type_field_name=None,
        ),
        responses={201: RecordedListOutput},
        tags=["payments"],
    )
    def post(self, request: Request) -> HttpResponse:
        """
        Record one payment, or up to 1,000 as `payments`: all or none, errors by index.

        Only a key of the institution, or of a partner who acts for the merchant, may. The same
        payment again is no second one.
        """
        self.params(request, NoQuery)
        many = isinstance(request.data, dict) and "payments" in request.data
        asked = self.body(request, PaymentListInput if many else PaymentInput)
        principal: Principal = request.user  # type: ignore[assignment]
        at = clock.now()

        def record(_began: Began) -> Answer:
            stored = payment_service.record(
                payments=asked["payments"] if many else [asked], by=principal.key, at=at
            )
            return Answer(201, RecordedListOutput({"payments": stored}).data)

        return answer_once(
            request,
            merchant_id=principal.key.merchant_id,
            caller=principal.key.prefix,
            asked=asked,
            work=record,
            whole=True,
            at=at,
        )


class PaymentDetail(BookView):
    """GET payments/{number}."""

    required_scopes = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(
        operation_id="payment_get",
        parameters=[BookQuery],
        responses=PaymentOutput,
        tags=["payments"],
    )
    def get(self, request: Request, number: str) -> Response:
        """Return one payment by its number."""
        merchant, _params = self.book(request)
        found = payments.by_number(merchant_id=merchant.id, payment_no=number)
        if found is None:
            raise NotFound(_("There is no such payment."))
        found.merchant = merchant
        return Response(PaymentOutput(found).data)


urlpatterns = [
    path("payments", Payments.as_view(), name="payments"),
    path("payments/<str:number>", PaymentDetail.as_view(), name="payment"),
]
