"""Keys at the API's door: who it is, what it may do, whose book it sees."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from config.errors import NotFound
from foundation import actor
from merchants.api.authentication import (
    ApiKeyAuthentication,
    HasScope,
    MerchantMissing,
    book_of,
)
from merchants.models import Merchant, Scope
from merchants.services import api_key as api_keys
from tests.factories.merchants import MerchantFactory

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)


class Balances(APIView):
    """A view of the test: reading needs a scope, PUT none, DELETE is not named."""

    authentication_classes = (ApiKeyAuthentication,)
    permission_classes = (HasScope,)
    required_scopes: ClassVar[dict[str, Scope | None]] = {
        "GET": Scope.BALANCES_READ,
        "PUT": None,
    }

    def get(self, request: Request) -> Response:
        return Response({"actor": actor.current().name, "key": request.auth.prefix})

    put = get
    delete = get


def answer(token: str | None, method: str = "get", **headers: Any) -> Response:
    if token is not None:
        headers["HTTP_AUTHORIZATION"] = token
    request = getattr(APIRequestFactory(), method)("/", **headers)
    with actor.acting("anonymous"):
        response: Response = Balances.as_view()(request)
    return response


def key(merchant: Merchant | None, *scopes: str, **more: Any) -> api_keys.Issued:
    kind = "MERCHANT" if merchant else "INSTITUTION"
    return api_keys.create(
        merchant=merchant, name="main", scopes=scopes, at=NOON, kind=kind, **more
    )


def asked_by(issued: api_keys.Issued) -> Request:
    plain = APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {issued.token}")
    request = Request(plain, authenticators=[ApiKeyAuthentication()])
    with actor.acting("anonymous"):
        assert request.user.is_authenticated
    return request


@pytest.mark.django_db
class TestAuthentication:
    def test_a_good_key_with_its_scope_passes_and_becomes_the_actor(self) -> None:
        issued = key(MerchantFactory(), "balances:read")

        response = answer(f"Bearer {issued.token}")

        assert response.status_code == 200
        assert response.data == {
            "actor": f"key:{issued.key.prefix}",
            "key": issued.key.prefix,
        }

    @pytest.mark.parametrize(
        "header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b", "Bearer ck1_x.y"]
    )
    def test_without_a_good_key_the_answer_is_401(self, header: str | None) -> None:
        response = answer(header)

        assert response.status_code == 401
        assert response["WWW-Authenticate"] == "Bearer"

    def test_the_network_is_looked_at(self) -> None:
        issued = key(MerchantFactory(), "balances:read", networks=["192.0.2.0/24"])

        token = f"Bearer {issued.token}"

        assert answer(token, REMOTE_ADDR="192.0.2.9").status_code == 200
        assert answer(token, REMOTE_ADDR="198.51.100.9").status_code == 403

    def test_a_key_without_the_scope_is_refused_and_told_which(self) -> None:
        issued = key(MerchantFactory(), "payments:read")

        response = answer(f"Bearer {issued.token}")

        assert response.status_code == 403
        assert "balances:read" in str(response.data)

    def test_a_method_the_view_does_not_name_is_refused(self) -> None:
        issued = key(MerchantFactory(), "balances:read")

        assert answer(f"Bearer {issued.token}", "delete").status_code == 403
        assert answer(f"Bearer {issued.token}", "put").status_code == 200


@pytest.mark.django_db
class TestBookOf:
    def test_a_merchants_key_means_its_own_book(self) -> None:
        merchant = MerchantFactory()
        request = asked_by(key(merchant, "balances:read"))

        assert book_of(request) == merchant
        assert book_of(request, merchant.merchant_no) == merchant

    @pytest.mark.parametrize("asked", ["other", "unknown", "HOUSE"])
    def test_a_merchants_key_finds_no_other(self, asked: str) -> None:
        other = MerchantFactory(merchant_no="other")
        request = asked_by(key(MerchantFactory(), "balances:read"))

        with pytest.raises(NotFound):
            book_of(request, asked)
        assert other.id

    def test_the_institutions_key_has_to_name_a_merchant_that_exists(self) -> None:
        merchant = MerchantFactory()
        request = asked_by(key(None, "balances:read"))

        assert book_of(request, merchant.merchant_no) == merchant
        with pytest.raises(MerchantMissing):
            book_of(request)
        for unknown in ("unknown", "HOUSE"):
            with pytest.raises(NotFound):
                book_of(request, unknown)
