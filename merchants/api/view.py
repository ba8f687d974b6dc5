"""The base of every view that looks into one merchant's book."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.request import Request

from foundation.api.fields import BookQuery, StrictInput
from foundation.api.view import ApiView
from merchants.api.authentication import ApiKeyAuthentication, HasScope, Principal, book_of
from merchants.models import ApiKey, Merchant
from merchants.selectors import contract as contracts


class BookView(ApiView):
    """A view of one book: a merchant's key means its own, a key of the house names one."""

    authentication_classes = (ApiKeyAuthentication,)
    permission_classes = (HasScope,)

    def book(
        self, request: Request, kind: type[StrictInput] = BookQuery
    ) -> tuple[Merchant, Mapping[str, Any]]:
        """
        Return the merchant and the checked query. Raises ValidationError, NotFound, and
        NotInContract where the merchant's contract does not include this; the institution's
        own keys read every book (MOD-4).
        """
        params = self.params(request, kind)
        merchant = book_of(request, params.get("merchant_no"))
        principal = request.user
        if not isinstance(principal, Principal) or principal.key.kind != ApiKey.Kind.INSTITUTION:
            match = request.resolver_match
            door = "" if match is None else f"api:{match.url_name}"
            contracts.require(door, merchant_id=merchant.id)
        return merchant, params
