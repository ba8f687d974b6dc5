"""A refusal where somebody asked for a file: a page that says why, and leads back."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from config.errors import DomainError


def refused_page(request: HttpRequest, refusal: DomainError, back: str) -> HttpResponse:
    """Return a page with the reason and the way back, under the refusal's own status."""
    context = {
        **admin.site.each_context(request),
        "title": str(refusal),
        "back": back,
    }
    answer = TemplateResponse(request, "admin/refused.html", context, status=refusal.http_status)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer
