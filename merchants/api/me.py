"""Who a key is, and whom its merchant's money may be paid to."""

from __future__ import annotations

from typing import Any

from django.urls import path
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from foundation import clock
from foundation.api.fields import BookQuery
from merchants.api.authentication import Principal
from merchants.api.view import BookView
from merchants.models import ApiKey, Capability, Merchant, Scope
from merchants.selectors import bank_account as bank_accounts
from merchants.selectors import capability as capabilities


class KeyOutput(serializers.Serializer[ApiKey]):
    """The key that asks."""

    prefix = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=ApiKey.Kind.choices)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices))
    expires_at = serializers.DateTimeField(allow_null=True)


class MerchantOutput(serializers.Serializer[Merchant]):
    """The merchant whose book it is."""

    merchant_no = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=Merchant.Status.choices)
    may_not = serializers.SerializerMethodField(help_text=_("What it may not do at present."))

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(Capability.choices)))
    def get_may_not(self, merchant: Merchant) -> list[str]:
        """Return what the merchant may not do at present."""
        return [one.capability.value for one in capabilities.taken(merchant_id=merchant.pk)]


class PayeeOutput(serializers.Serializer[Any]):
    """A bank account on the approved list; `payee` is what POST withdrawals takes."""

    payee = serializers.UUIDField(source="uuid")
    holder = serializers.CharField()
    bank_name = serializers.CharField()
    number_masked = serializers.CharField()
    currency = serializers.CharField()


class MeOutput(serializers.Serializer[Any]):
    """What a key is and may do. Payees are shown to keys that see or request withdrawals."""

    key = KeyOutput()
    merchant = MerchantOutput(allow_null=True)
    payees = PayeeOutput(many=True)


class Me(BookView):
    """GET me."""

    required_scopes = {"GET": None}

    @extend_schema(operation_id="me", parameters=[BookQuery], responses=MeOutput, tags=["me"])
    def get(self, request: Request) -> Response:
        """Return the key, its merchant and its payees; a house's key may name a merchant."""
        principal: Principal = request.user  # type: ignore[assignment]
        own = principal.merchant is not None or "merchant_no" in request.query_params
        found = None
        if own:
            found, _params = self.book(request)
        else:
            self.params(request)
        withdraws = principal.scopes & {Scope.WITHDRAWALS_READ, Scope.WITHDRAWALS_WRITE}
        payees = []
        if found and withdraws:
            payees = bank_accounts.payees(merchant_id=found.id, at=clock.now())
        shown = {"key": principal.key, "merchant": found, "payees": payees}
        return Response(MeOutput(shown).data)


urlpatterns = [path("me", Me.as_view(), name="me")]
