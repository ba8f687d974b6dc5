"""The base of every view of the API: methods, parameters, bodies, headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from rest_framework.exceptions import MethodNotAllowed, UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.errors import Malformed, NotFound
from foundation.api.fields import BookQuery, StrictInput
from foundation.api.parsing import storable
from foundation.services import idempotency

_LONGEST_NUMBER = 100


class ParameterRepeated(Malformed):
    """A parameter of the query stands more than once."""

    code = "parameter_repeated"


class LengthRequired(Malformed):
    """The body comes in chunks, so nobody knows how much is still to come."""

    code = "length_required"
    http_status = 411


class ApiView(APIView):
    """
    A view that names a scope for each of its methods; every other method is 405. Rule: API-1.
    """

    http_method_names: ClassVar[list[str]] = ["get", "post"]  # type: ignore[misc]
    metadata_class = None
    required_scopes: ClassVar[Mapping[str, Any]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """
        Prove key, scope and rate, and that a POST names its Idempotency-Key; a number that no row
        can have is not found.
        """
        super().initial(request, *args, **kwargs)
        if request.method == "POST":
            _require_readable(request)
            idempotency.require_key(request.headers.get("Idempotency-Key"))
        for number in kwargs.values():
            if not storable(str(number)) or len(str(number)) > _LONGEST_NUMBER:
                raise NotFound(_("There is nothing at this address."))

    def check_permissions(self, request: Request) -> None:
        """Refuse a method that the view does not have before asking for its scope."""
        if request.auth and request.method not in self.allowed_methods:
            raise MethodNotAllowed(str(request.method))
        super().check_permissions(request)

    def params(self, request: Request, kind: type[StrictInput] = BookQuery) -> dict[str, Any]:
        """Return the checked query. Raises ValidationError, ParameterRepeated."""
        for name, values in request.query_params.lists():
            if len(values) > 1:
                raise ParameterRepeated(
                    _("The parameter stands more than once."), field=str(name)[:100]
                )
        found = kind(data=request.query_params.dict())
        found.is_valid(raise_exception=True)
        return dict(found.validated_data)

    def body(self, request: Request, kind: type[StrictInput]) -> dict[str, Any]:
        """Return the checked body. Raises ValidationError, BodyMalformed, BodyTooLarge."""
        found = kind(data=request.data)
        found.is_valid(raise_exception=True)
        return dict(found.validated_data)

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """Keep answers out of every cache: they are somebody's money."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer["Cache-Control"] = "no-store"
        return answer


def _require_readable(request: Request) -> None:
    """Refuse a body that would be read as another one, or as none."""
    if "Transfer-Encoding" in request.headers:
        raise LengthRequired(_("Send Content-Length; a body in chunks is not read."))
    coding = request.headers.get("Content-Encoding", "identity")
    if coding.lower() != "identity":
        raise UnsupportedMediaType(coding[:50], _("A compressed body is not read."))
