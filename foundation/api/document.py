"""The OpenAPI document and the page that shows it, both in the reader's language."""

from __future__ import annotations

from functools import lru_cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer


@require_safe
@vary_on_headers("Accept-Language", "Cookie")
def document(request: HttpRequest) -> HttpResponse:
    """Answer the OpenAPI 3.1 document of version 1 as JSON."""
    return HttpResponse(_document(translation.get_language()), content_type="application/json")


@require_safe
@vary_on_headers("Accept-Language", "Cookie")
def page(request: HttpRequest) -> HttpResponse:
    """Show the document, with our own files only."""
    return render(request, "api/document.html")


@lru_cache
def _document(language: str) -> bytes:
    """Generate the document once per language: it only changes with the code."""
    with translation.override(language):
        generator = SchemaGenerator()  # type: ignore[no-untyped-call]
        found = generator.get_schema(public=True)  # type: ignore[no-untyped-call]
        raw: bytes = OpenApiJsonRenderer().render(found)
    return raw
