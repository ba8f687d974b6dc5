"""Withdrawals by a merchant's own program: asking, looking, cancelling."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Q
from django.http import HttpResponse
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import (
    OpenApiExample,
    extend_schema,
    extend_schema_field,
    extend_schema_serializer,
)
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import NotFound
from foundation import clock
from foundation.api.fields import (
    BookQuery,
    Currency,
    MinorUnits,
    NumberedPageQuery,
    StrictInput,
    StrictText,
    StrictUUID,
)
from foundation.api.idempotency import Answer, answer_once
from foundation.api.pagination import Listing, filters_of, instant_and_id
from foundation.money import Money
from foundation.services.idempotency import Began
from merchants.api.authentication import Principal
from merchants.api.view import BookView
from merchants.models import Merchant, Scope
from merchants.selectors import bank_account as bank_accounts
from settlement.models import Withdrawal
from settlement.selectors import withdrawal as selectors
from settlement.services import withdrawal as withdrawals

Status = Withdrawal.Status

# What a program may believe: money counts as paid only when that is proved (money-safety 5).
_OUTCOMES: Final = {
    Status.CREATED: "ACCEPTED",
    Status.REVIEW: "ACCEPTED",
    Status.HELD: "ACCEPTED",
    Status.PAYING: "PROCESSING",
    Status.DISPUTED: "PROCESSING",
    Status.PAID: "SUCCEEDED",
    Status.RETURNED: "RETURNED",
    Status.FAILED: "FAILED",
    Status.REJECTED: "FAILED",
    Status.EXPIRED: "FAILED",
    Status.CANCELLED: "CANCELLED",
}


class WithdrawalOutput(serializers.Serializer[Withdrawal]):
    """A withdrawal. `outcome` is SUCCEEDED only when the payment is proved."""

    number = serializers.CharField()
    order_no = serializers.CharField()
    merchant_no = serializers.CharField(source="merchant.merchant_no")
    amount_minor = serializers.IntegerField()
    fee_minor = serializers.IntegerField()
    currency = serializers.CharField()
    payee = serializers.UUIDField(source="bank_account.uuid")
    payee_number_masked = serializers.CharField(source="bank_account.number_masked")
    status = serializers.ChoiceField(choices=Status.choices)
    outcome = serializers.SerializerMethodField(
        help_text=gettext_lazy("What a program may believe.")
    )
    requested_at = serializers.DateTimeField()
    business_date = serializers.DateField()
    closed_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(serializers.ChoiceField(choices=sorted(set(_OUTCOMES.values()))))
    def get_outcome(self, withdrawal: Withdrawal) -> str:
        """Return what the caller may believe."""
        return _OUTCOMES[Status(withdrawal.status)]


class WithdrawalPage(serializers.Serializer[Any]):
    """A page of withdrawals, newest first."""

    items = WithdrawalOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "withdrawal",
            value={
                "order_no": "2026-000001",
                "amount_minor": 12_050,
                "currency": "CNY",
                "payee": "6c3f9c1e-0f55-4b0a-8a39-3d1f3f8c6e52",
            },
            request_only=True,
        )
    ]
)
class WithdrawalInput(StrictInput):
    """Whom to pay how much; `order_no` is the merchant's own number, unique for ever."""

    order_no = StrictText(max_length=64, shape="order_no")
    amount_minor = MinorUnits()
    currency = Currency()
    payee = StrictUUID()


class CancelInput(StrictInput):
    """Why it is cancelled, in the caller's words."""

    reason = StrictText(max_length=200, required=False, allow_blank=True)


class Withdrawals(BookView):
    """GET and POST withdrawals."""

    required_scopes = {"GET": Scope.WITHDRAWALS_READ, "POST": Scope.WITHDRAWALS_WRITE}

    @extend_schema(
        operation_id="withdrawal_list",
        parameters=[NumberedPageQuery],
        responses=WithdrawalPage,
        tags=["withdrawals"],
    )
    def get(self, request: Request) -> Response:
        """Return a page of the merchant's withdrawals, newest first."""
        merchant, params = self.book(request, NumberedPageQuery)
        listing = Listing("withdrawal", merchant.id, filters_of(params))
        place = instant_and_id(listing.place(params.get("cursor")))
        rows = selectors.of_merchant(merchant_id=merchant.id).select_related("merchant")
        if order_no := params.get("order_no"):
            rows = rows.filter(order_no=order_no)
        if place is not None:
            at, row_id = place
            rows = rows.filter(
                Q(requested_at__lt=at) | Q(requested_at=at, id__lt=row_id), requested_at__lte=at
            )
        page = listing.page(
            list(rows[: params["limit"] + 1]),
            params["limit"],
            lambda last: (last.requested_at.isoformat(), last.id),
        )
        return Response(WithdrawalPage(page).data)

    @extend_schema(
        operation_id="withdrawal_request",
        parameters=[BookQuery],
        request=WithdrawalInput,
        responses={201: WithdrawalOutput},
        tags=["withdrawals"],
    )
    def post(self, request: Request) -> HttpResponse:
        """
        Ask for a withdrawal to a payee on the approved list.

        The answer says that it is accepted, not that it is paid: ask for it again later.
        """
        merchant, _params = self.book(request)
        asked = self.body(request, WithdrawalInput)
        principal: Principal = request.user  # type: ignore[assignment]
        payee = bank_accounts.by_uuid(merchant_id=merchant.id, uuid=asked["payee"])
        if payee is None:
            raise NotFound(_("There is no such bank account."), field="payee")
        at = clock.now()

        def request_it(_began: Began) -> Answer:
            # Found again by its order number when a process died before it could answer.
            made = withdrawals.request(
                merchant_id=merchant.id,
                amount=Money(asked["amount_minor"], asked["currency"]),
                bank_account_id=payee.id,
                order_no=asked["order_no"],
                authority=withdrawals.SignedRequest(principal.key),
                at=at,
            )
            return Answer(201, _shown(merchant, made.number))

        return answer_once(request, merchant_id=merchant.id, asked=asked, work=request_it, at=at)


class WithdrawalDetail(BookView):
    """GET withdrawals/{number}."""

    required_scopes = {"GET": Scope.WITHDRAWALS_READ}

    @extend_schema(
        operation_id="withdrawal_get",
        parameters=[BookQuery],
        responses=WithdrawalOutput,
        tags=["withdrawals"],
    )
    def get(self, request: Request, number: str) -> Response:
        """Return one withdrawal by its number."""
        merchant, _params = self.book(request)
        return Response(_shown(merchant, number))


class WithdrawalCancel(BookView):
    """POST withdrawals/{number}/cancel."""

    required_scopes = {"POST": Scope.WITHDRAWALS_WRITE}

    @extend_schema(
        operation_id="withdrawal_cancel",
        parameters=[BookQuery],
        request=CancelInput,
        responses={200: WithdrawalOutput},
        tags=["withdrawals"],
    )
    def post(self, request: Request, number: str) -> HttpResponse:
        """Give the money back to the balance; only while nothing was sent to a bank."""
        merchant, _params = self.book(request)
        asked = self.body(request, CancelInput)
        found = _found(merchant, number)
        at = clock.now()

        def cancel_it(began: Began) -> Answer:
            done = began.taken_over and _found(merchant, number).status == Status.CANCELLED
            if not done:  # a process that died before it could answer may have done it
                withdrawals.cancel(**found.key, at=at, reason=asked.get("reason", ""))
            return Answer(200, _shown(merchant, number))

        return answer_once(request, merchant_id=merchant.id, asked=asked, work=cancel_it, at=at)


def _found(merchant: Merchant, number: str) -> Withdrawal:
    found = selectors.numbered(merchant_id=merchant.id, number=number)
    if found is None:
        raise NotFound(_("There is no such withdrawal."))
    return found


def _shown(merchant: Merchant, number: str) -> Any:
    found = _found(merchant, number)
    found.merchant = merchant
    return WithdrawalOutput(found).data


urlpatterns = [
    path("withdrawals", Withdrawals.as_view(), name="withdrawals"),
    path("withdrawals/<str:number>", WithdrawalDetail.as_view(), name="withdrawal"),
    path("withdrawals/<str:number>/cancel", WithdrawalCancel.as_view(), name="withdrawal_cancel"),
]
