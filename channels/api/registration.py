"""Where the registrations of a merchant with channels stand."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from channels.models import Registration
from channels.selectors import registration as registrations
from channels.selectors.registration import Told
from foundation.api.fields import PageQuery
from foundation.api.pagination import Listing, filters_of
from merchants.api.view import BookView


class RegistrationOutput(serializers.Serializer[Told]):
    """
    One attempt to register the merchant with a channel for a kind of product. `said` is what the
    channel wrote when it refused or ended it, else empty.
    """

    channel = serializers.CharField()
    channel_name = serializers.CharField()
    product = serializers.CharField(source="product_code")
    attempt = serializers.IntegerField()
    state = serializers.ChoiceField(choices=Registration.State.choices)
    channel_merchant_no = serializers.CharField(allow_blank=True)
    requested_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    answered_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    said = serializers.CharField(allow_blank=True)


class RegistrationPage(serializers.Serializer[Any]):
    """A page of registrations, latest first."""

    items = RegistrationOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class Registrations(BookView):
    """GET registrations."""

    required_scopes = {"GET": None}

    @extend_schema(
        operation_id="registration_list",
        parameters=[PageQuery],
        responses=RegistrationPage,
        tags=["registrations"],
    )
    def get(self, request: Request) -> Response:
        """Return a page of the merchant's registrations with channels, latest first."""
        merchant, params = self.book(request, PageQuery)
        listing = Listing("registration", merchant.id, filters_of(params))
        place = listing.place(params.get("cursor"))
        found = registrations.told(
            merchant_id=merchant.id,
            below=int(place[0]) if place else None,
            limit=params["limit"] + 1,
        )
        page = listing.page(found, params["limit"], lambda last: (last.id,))
        return Response(RegistrationPage(page).data)


urlpatterns = [path("registrations", Registrations.as_view(), name="registrations")]
