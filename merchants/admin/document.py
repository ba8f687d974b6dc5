"""Papers as they are shown: a preview drawn anew inside pages, the bytes as an attachment."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from config.errors import NotFound
from foundation import clock
from foundation.admin.refusal import refused_page
from merchants.models import Document
from merchants.selectors.application import house_id
from merchants.services import document as documents
from merchants.services.document_part import DocumentDamaged

RIGHT = "merchants.view_document"
# Whatever a browser makes of the bytes: they load nothing, run nothing and are nobody.
_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"


@require_safe
def file(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Give the bytes as they came, to be kept in a file, never to be shown in a page (DOC-7)."""
    _require_right(request)
    try:
        paper, content = documents.read(uuid=uuid, at=clock.now())
    except NotFound as refusal:
        raise Http404 from refusal
    except DocumentDamaged as refusal:
        return refused_page(request, refusal, _application_of(uuid))
    answer = StreamingHttpResponse(content, content_type=paper.content_type)
    answer["Content-Length"] = str(paper.size_bytes)
    return _guarded(answer, paper.file_name, attached=True)


@require_safe
def preview(request: HttpRequest, uuid: UUID, page: int) -> HttpResponseBase:
    """Give the picture of a page, drawn anew, for pages of the reviewer (DOC-7)."""
    _require_right(request)
    try:
        picture = documents.look(uuid=uuid, page=page, at=clock.now())
    except NotFound as refusal:
        raise Http404 from refusal
    except DocumentDamaged as refusal:
        return refused_page(request, refusal, _application_of(uuid))
    answer = HttpResponse(picture, content_type="image/jpeg")
    return _guarded(answer, "preview.jpg", attached=False)


def _application_of(uuid: UUID) -> str:
    """Return the page where the paper is shown among its like."""
    kept = Document.objects.filter(merchant_id=house_id(), uuid=uuid)
    key = kept.values_list("application", flat=True).get()
    return reverse("admin:merchants_application_change", args=[key])


def _require_right(request: HttpRequest) -> None:
    if not request.user.has_perm(RIGHT):
        raise PermissionDenied


def _guarded(answer: HttpResponseBase, name: str, *, attached: bool) -> HttpResponseBase:
    answer["Content-Disposition"] = content_disposition_header(attached, name) or "attachment"
    answer["Content-Security-Policy"] = _POLICY
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    answer["Cache-Control"] = "private, no-store"
    return answer


def fill(site: Any = admin.site) -> None:
    """Give papers their addresses in the admin."""
    site.add_page("merchants/document/<uuid:uuid>/file", file, "document_file")
    site.add_page("merchants/document/<uuid:uuid>/preview/<int:page>", preview, "document_preview")
