"""A refusal where somebody asked for a file: words in place of it."""

from __future__ import annotations

from django.http import HttpResponse

from config.errors import DomainError


def plain_refusal(refusal: DomainError) -> HttpResponse:
    """Return the reason as plain text, under the refusal's own status."""
    answer = HttpResponse(
        str(refusal), content_type="text/plain; charset=utf-8", status=refusal.http_status
    )
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer
