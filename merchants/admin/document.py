"""Papers as they are shown: a preview drawn anew inside pages, the bytes as an attachment."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from config.errors import NotFound
from merchants.models import Document
from merchants.services import document as documents

RIGHT = "merchants.view_document"
# Whatever a browser makes of the bytes: they load nothing, run nothing and are nobody.
_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"


@require_safe
def file(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Give the bytes as they came, to be kept in a file, never to be shown in a page (DOC-7)."""
    paper = _read(request, uuid, whole=True)
    return _sent(paper.content, paper.content_type, paper.file_name, attached=True)


@require_safe
def preview(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Give the picture drawn anew, for pages of the reviewer (DOC-7)."""
    paper = _read(request, uuid, whole=False)
    return _sent(paper.preview or b"", "image/jpeg", "preview.jpg", attached=False)


def _read(request: HttpRequest, uuid: UUID, *, whole: bool) -> Document:
    if not request.user.has_perm(RIGHT):
        raise PermissionDenied
    try:
        return documents.read(uuid=uuid, whole=whole)
    except NotFound as refusal:
        raise Http404 from refusal


def _sent(content: Any, content_type: str, name: str, *, attached: bool) -> HttpResponse:
    answer = HttpResponse(bytes(content), content_type=content_type)
    answer["Content-Disposition"] = content_disposition_header(attached, name) or "attachment"
    answer["Content-Security-Policy"] = _POLICY
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    answer["Cache-Control"] = "private, no-store"
    return answer


def fill(site: Any = admin.site) -> None:
    """Give papers their addresses in the admin."""
    site.add_page("merchants/document/<uuid:uuid>/file", file, "document_file")
    site.add_page("merchants/document/<uuid:uuid>/preview", preview, "document_preview")
