"""How often one key may ask, counted together by all web processes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from foundation import actor, clock

if TYPE_CHECKING:
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

MINUTE: Final = 60  # seconds
_COUNTER: Final = "api_counter"


class KeyThrottle(BaseThrottle):
    """
    Counts by the minute, per key (without one per address), reading and writing apart.

    settings.API_READ_PER_MINUTE and API_WRITE_PER_MINUTE; 0 is without limit. Where the counters
    cannot be reached nobody is refused: they guard our time, not money. Rule: API-7.
    """

    def __init__(self) -> None:
        self.seconds_left = MINUTE

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count this request and return whether it may go on."""
        reading = request.method == "GET"
        most = settings.API_READ_PER_MINUTE if reading else settings.API_WRITE_PER_MINUTE
        if not most:
            return True
        minute, second = divmod(int(clock.now().timestamp()), MINUTE)
        self.seconds_left = MINUTE - second
        who = actor.current().name if request.auth else self.get_ident(request)
        counter = f"api:{'read' if reading else 'write'}:{minute}:{who}"
        setattr(request._request, _COUNTER, counter)
        return _tried(lambda: _count(counter)) <= most

    def wait(self) -> float:
        """Return after how many seconds counting begins anew."""
        return self.seconds_left


def give_back(request: Request) -> None:
    """Do not count this request after all: it only repeated one that was answered before."""
    counter = getattr(request._request, _COUNTER, "")
    if counter:
        _tried(lambda: cache.decr(counter))


def _count(counter: str) -> int:
    if cache.add(counter, 1, timeout=2 * MINUTE):
        return 1
    return cache.incr(counter)


def _tried(ask: Callable[[], int]) -> int:
    """Return what the counters say, 0 when they cannot be reached."""
    try:
        return ask()
    except (RedisError, ValueError) as error:  # ValueError: the counter was dropped meanwhile
        logger.warning("API counters: %s", error)
        return 0
