"""How often one key may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle

from foundation import actor

if TYPE_CHECKING:
    from rest_framework.views import APIView


class KeyThrottle(SimpleRateThrottle):
    """
    Counts per key, reading and writing apart; without a key per address. Rates:
    DEFAULT_THROTTLE_RATES `read` and `write`, per process. Rule: API-7.
    """

    scope = "read"

    def __init__(self) -> None:
        """The rate is known when the request is."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Return whether this request may go on."""
        self.scope = "read" if request.method == "GET" else "write"
        self.rate = str(api_settings.DEFAULT_THROTTLE_RATES[self.scope])
        self.num_requests, self.duration = self.parse_rate(self.rate)
        return super().allow_request(request, view)

    def get_cache_key(self, request: Request, view: APIView) -> str:
        """Return whom the request is counted for."""
        name: Any = actor.current().name if request.auth else self.get_ident(request)
        return f"throttle:{self.scope}:{name}"
