"""Every refusal as problem+json (RFC 9457): what, why, and which field."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views import defaults
from rest_framework import exceptions, serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from config.errors import DomainError
from foundation import retry
from foundation.csv_intake import BadRow

CONTENT_TYPE: Final = "application/problem+json"
MAX_ERRORS: Final = 1_000
log = logging.getLogger(__name__)
_LOST_FOR: Final = "5"  # seconds to wait for a database that does not answer
_WHOLE: Final = "non_field_errors"
_RENAMED: Final = {"parse_error": "malformed_json", "permission_denied": "forbidden"}


class ProblemError(serializers.Serializer[Any]):
    """One thing that is wrong."""

    index = serializers.IntegerField(
        required=False, help_text=gettext_lazy("Place in the list that was sent, from 0.")
    )
    field = serializers.CharField(help_text=gettext_lazy("Empty: the whole."))
    reason = serializers.CharField(help_text=gettext_lazy("A code that never changes."))
    message = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """RFC 9457. `code` never changes; `title`, `detail` and `message` are for people."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    errors = ProblemError(many=True)  # type: ignore[assignment]


def body(
    status: int, code: str, detail: str, errors: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return the members of a problem."""
    return {
        "type": f"urn:countinghouse:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "errors": list(errors),
    }


def of_refusal(refusal: DomainError) -> dict[str, Any]:
    """Return a refusal of the product as a problem, with the field or rows it names."""
    errors: list[dict[str, Any]] = []
    field, bad = refusal.details.get("field"), refusal.details.get("bad")
    if isinstance(bad, Sequence):
        errors = [
            {"index": row.row, "field": row.column, "reason": row.reason, "message": row.message}
            for row in bad[:MAX_ERRORS]
            if isinstance(row, BadRow)
        ]
    elif isinstance(field, str):
        errors = [{"field": field, "reason": refusal.code, "message": str(refusal)}]
    return body(refusal.http_status, refusal.code, str(refusal), errors)


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Answer an exception of a view (REST_FRAMEWORK's handler); None is a bug and becomes 500."""
    headers: dict[str, str] = {}
    match error:
        case DomainError():
            content = of_refusal(error)
            if "retry_after" in error.details:
                headers["Retry-After"] = str(error.details["retry_after"])
        case Http404():
            content = body(404, "not_found", _("There is nothing at this address."))
        case PermissionDenied():
            content = body(403, "forbidden", _("You may not do this."))
        case SuspiciousOperation():
            content = body(400, "bad_request", _("The request is malformed."))
        case exceptions.APIException():
            content, headers = _of_framework(error)
        case OperationalError() if retry.is_passing(error):
            content = body(503, "try_again", _("Too much at once; try again."))
            headers["Retry-After"] = "1"
        case OperationalError() | InterfaceError():
            log.error("api: the database does not answer", exc_info=error)
            content = body(503, "try_again", _("The database does not answer; try again."))
            headers["Retry-After"] = _LOST_FOR
        case _:
            return None
    return Response(content, status=content["status"], headers=headers, content_type=CONTENT_TYPE)


def _of_framework(error: exceptions.APIException) -> tuple[dict[str, Any], dict[str, str]]:
    headers: dict[str, str] = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]
    if isinstance(error, exceptions.Throttled):
        headers["Retry-After"] = str(int(getattr(error, "wait", None) or 1))
    if isinstance(error, exceptions.ValidationError):
        errors = list(_flat(error.get_full_details()))
        detail = ngettext(
            "%(count)s value was refused.", "%(count)s values were refused.", len(errors)
        ) % {"count": len(errors)}
        return body(400, "validation_failed", detail, errors[:MAX_ERRORS]), headers
    code = str(error.get_codes())
    return body(error.status_code, _RENAMED.get(code, code), str(error.detail), ()), headers


def _flat(
    found: Any, field: tuple[str, ...] = (), index: int | None = None
) -> Iterator[dict[str, Any]]:
    """
    Yield what the framework found as a flat list: the place in the list that was sent is `index`,
    and `field` is named within that item.
    """
    if isinstance(found, Mapping) and set(found) == {"message", "code"} and _is_leaf(found):
        place: dict[str, Any] = {} if index is None else {"index": index}
        name = ".".join(part for part in field if part != _WHOLE)
        yield place | {
            "field": name,
            "reason": str(found["code"]),
            "message": str(found["message"]),
        }
    elif isinstance(found, Mapping):
        for name, part in found.items():
            if isinstance(name, int):
                yield from _flat(part, (), name)
            else:
                yield from _flat(part, (*field, str(name)), index)
    elif isinstance(found, list):
        for row, part in enumerate(found):
            leaf = isinstance(part, Mapping) and _is_leaf(part)
            yield from _flat(part, field, index if leaf else row)


def _is_leaf(found: Mapping[Any, Any]) -> bool:
    return isinstance(found.get("message"), str) and isinstance(found.get("code"), str)


def response(status: int, code: str, detail: str) -> HttpResponse:
    """Return a problem outside of the framework's views."""
    raw = JSONRenderer().render(body(status, code, detail))
    return HttpResponse(raw, status=status, content_type=CONTENT_TYPE)


def nothing_here(request: HttpRequest) -> HttpResponse:
    """Answer every address below /api/ that is none."""
    return response(404, "not_found", _("There is nothing at this address."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 400 (handler400): a problem below /api/, the usual page elsewhere."""
    if request.path.startswith("/api/"):
        return response(400, "bad_request", _("The request is malformed."))
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """
    Answer 500 (handler500), which is a bug; nothing of it is told. Where only the database does not
    answer it is 503, with the same page.
    """
    if retry.is_lost(sys.exception()):
        away = _("The database does not answer; try again.")
        answer: HttpResponse = defaults.server_error(request)
        if request.path.startswith("/api/"):
            answer = response(503, "try_again", away)
        answer.status_code, answer["Retry-After"] = 503, _LOST_FOR
        return answer
    if request.path.startswith("/api/"):
        return response(500, "internal_error", _("This is our fault; it was recorded."))
    return defaults.server_error(request)
