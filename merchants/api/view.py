"""The base of every view that looks into one merchant's book."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.request import Request

from foundation.api.fields import BookQuery, StrictInput
from foundation.api.view import ApiView
from merchants.api.authentication import ApiKeyAuthentication, HasScope, book_of
from merchants.models import Merchant


class BookView(ApiView):
    """A view of one book: a merchant's key means its own, a key of the house names one."""

    authentication_classes = (ApiKeyAuthentication,)
    permission_classes = (HasScope,)

    def book(
        self, request: Request, kind: type[StrictInput] = BookQuery
    ) -> tuple[Merchant, Mapping[str, Any]]:
        """Return the merchant and the checked query. Raises ValidationError, NotFound."""
        params = self.params(request, kind)
        return book_of(request, params.get("merchant_no")), params
