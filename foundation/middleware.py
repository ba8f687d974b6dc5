"""What every request carries: a request id, who acts, and the reader's language."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils import translation

from foundation import actor
from foundation.models import User

HEADER: Final = "X-Request-ID"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestMiddleware:
    """
    Take or make the request id, act as the signed-in user, speak his language.

    Stands after the authentication middleware. A program's request acts as `anonymous` until its
    key is proved; the API's authentication then names the key.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        user = request.user if isinstance(request.user, User) else None
        name = f"user:{user.pk}" if user is not None else "anonymous"
        if user is not None and translation.check_for_language(user.language):
            translation.activate(user.language)
            request.LANGUAGE_CODE = translation.get_language()
        with actor.acting(name, request_id, origin=request.META.get("REMOTE_ADDR", "")):
            response = self.get_response(request)
        response[HEADER] = request_id
        if user is not None:
            response["Content-Language"] = user.language
        return response
