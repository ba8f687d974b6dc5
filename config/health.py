"""What a load balancer asks: is the process alive, and can it do its work."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

Answer = Callable[[HttpRequest], HttpResponseBase]
logger = logging.getLogger(__name__)


@never_cache
@require_safe
def alive(request: HttpRequest) -> JsonResponse:
    """Answer as long as the process can answer at all."""
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Answer 200 when the database answers and has every migration of this code, else 503."""
    try:
        missing = _missing_migrations()
    except DatabaseError:
        logger.exception("The database does not answer.")
        return JsonResponse({"status": "database unreachable"}, status=503)
    if missing:
        return JsonResponse({"status": "migrations missing", "count": missing}, status=503)
    return JsonResponse({"status": "ready"})


_DOORS: dict[str, Answer] = {"/healthz": alive, "/readyz": ready}


def probes(get_response: Answer) -> Answer:
    """
    Answer a load balancer before anything else looks at the request; the first middleware.

    It asks by address, without the name and without TLS, which every other page refuses.
    """

    def answer(request: HttpRequest) -> HttpResponseBase:
        return _DOORS.get(request.path_info, get_response)(request)

    return answer


_complete = False  # migrations do not become unapplied under a running process


def _missing_migrations() -> int:
    """Return how many migrations are not applied; once there are none, only reach the database."""
    global _complete
    if _complete:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return 0
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    _complete = not missing
    return missing
