"""The bytes of papers as they lie in the database: encrypted pieces, bound to paper and place."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from config.errors import DomainError
from foundation import actor, pieces
from foundation.crypto import KeyUnknown, Tampered
from foundation.services import audit
from foundation.services import job as jobs
from merchants.models import Document, DocumentPart
from merchants.selectors.application import house_id
from merchants.services import document_content

FILE: Final = 0  # the "page" that is the file itself
JOB: Final = "encrypt_documents"
log = logging.getLogger(__name__)


class DocumentDamaged(DomainError):
    """What lies in the database is not what was taken in: it is not shown, and people are told."""

    code = "document_damaged"


def count(size_bytes: int) -> int:
    """Return in how many parts a file of that size lies."""
    return max(1, -(-size_bytes // pieces.SIZE))


def store(document: Document, content: bytes, previews: Sequence[bytes]) -> None:
    """
    Write the parts that `document` counts, in its own transaction.

    Rule: DOC-8 (docs/rules/documents.md).
    """
    for page, held in enumerate([content, *previews]):
        size = 0 if page == FILE else len(held)  # a picture lies in one piece
        for piece in pieces.cut(io.BytesIO(held), of=document.uuid, name=str(page), size=size):
            DocumentPart.objects.create(
                merchant_id=document.merchant_id,
                document=document,
                page=page,
                position=piece.position,
                uuid=piece.uuid,
                content=piece.content,
            )


def opened(document: Document, at: datetime) -> Iterator[bytes]:
    """
    Return the bytes of a paper, piece by piece, once all of them were proved to be the ones that
    were taken in. Raises: DocumentDamaged. Rule: DOC-8.
    """
    try:
        pieces.prove(_bytes(document, FILE), document.sha256)
    except (Tampered, KeyUnknown) as error:
        raise _damaged(document, at, error) from error
    _mend(document)
    return _bytes(document, FILE)


def picture(document: Document, page: int, at: datetime) -> bytes | None:
    """
    Return the picture of a page, None where there is none. Raises: DocumentDamaged. Rule: DOC-8.
    """
    if document.part_count is None:  # from before
        kept = Document.objects.filter(merchant_id=document.merchant_id, id=document.id)
        preview = kept.values_list("preview", flat=True).get()
        return bytes(preview) if preview and page == 1 else None
    if not 1 <= page <= document.preview_count:
        return None
    try:
        return b"".join(_bytes(document, page))
    except (Tampered, KeyUnknown) as error:
        raise _damaged(document, at, error) from error


def plain() -> QuerySet[Document]:
    """Return the papers that still lie as they came, without their bytes."""
    return Document.objects.filter(merchant_id=house_id(), part_count=None).defer(
        "content", "preview"
    )


def encrypt_all(*, progress: Callable[[int, int], None] | None = None) -> int:
    """
    Encrypt every paper from before, one in a transaction; return how many were.

    Stopped at any place it goes on where it was: it looks for what is left. Raises JobRunning.
    Rule: DOC-8.
    """
    total = plain().count()
    job = jobs.start(JOB, "all", total)
    done, last = 0, 0
    try:
        while (found := plain().filter(id__gt=last).order_by("id").first()) is not None:
            last = found.id
            done += _encrypt(last)
            jobs.advance(job.id, done, fence=job.fence)
            if progress is not None:
                progress(done, total)
    except Exception as error:
        jobs.fail(job.id, type(error).__name__, fence=job.fence)
        raise
    jobs.finish(job.id, fence=job.fence)
    return done


def damaged(*, at: datetime) -> list[Document]:
    """Read every paper with its pictures; return those that cannot be read, and mark them."""
    found = []
    every = Document.objects.filter(merchant_id=house_id()).defer("content", "preview")
    for document in every.select_related("application").order_by("id").iterator(100):
        try:
            opened(document, at)
            for page in document.shown_pages:
                picture(document, page, at)
        except DocumentDamaged:
            found.append(document)
    return found


def _encrypt(document_id: int) -> int:
    """Put encrypted parts in the place of a paper's bytes, under its lock; 0: somebody did."""
    kept = Document.objects.get(merchant_id=house_id(), id=document_id)
    content = bytes(kept.content or b"")
    seen = (
        [bytes(kept.preview)]
        if kept.preview
        else document_content.pages_of(content, kept.content_type)
    )
    with transaction.atomic():
        actor.stamp_transaction()
        locked = plain().select_for_update().filter(id=document_id).first()
        if locked is None:
            return 0
        Document.objects.filter(merchant_id=kept.merchant_id, id=kept.id).update(
            content=None,
            preview=None,
            part_count=count(kept.size_bytes),
            preview_count=len(seen),
        )
        store(locked, content, seen)
    return 1


def _bytes(document: Document, page: int) -> Iterator[bytes]:
    """Yield what lies there. Raises Tampered, KeyUnknown."""
    if document.part_count is None:
        kept = Document.objects.filter(merchant_id=document.merchant_id, id=document.id)
        yield bytes(kept.values_list("content", flat=True).get() or b"")
        return
    parts = DocumentPart.objects.filter(
        merchant_id=document.merchant_id, document_id=document.id, page=page
    )
    yield from pieces.joined(
        lambda position: parts.filter(position=position).first(),
        of=document.uuid,
        name=str(page),
    )


def _damaged(document: Document, at: datetime, error: Exception) -> DocumentDamaged:
    """Mark the paper, record it, raise the alarm."""
    found = type(error).__name__
    log.error("document %s is damaged: %s", document.uuid, found)
    with transaction.atomic():
        actor.stamp_transaction()
        kept = Document.objects.filter(merchant_id=document.merchant_id, id=document.id)
        if kept.filter(damaged_at=None).update(damaged_at=at):
            _record(document, "document.damaged", found)
    return DocumentDamaged(
        _("%(name)s is damaged in the database and is not shown; the engineers are told.")
        % {"name": document.file_name}
    )


def _mend(document: Document) -> None:
    """Take the mark away from a paper that can be read again."""
    if document.damaged_at is None:
        return
    with transaction.atomic():
        actor.stamp_transaction()
        Document.objects.filter(Q(merchant_id=document.merchant_id, id=document.id)).update(
            damaged_at=None
        )
        _record(document, "document.sound", "")


def _record(document: Document, action: str, found: str) -> None:
    audit.record(
        merchant_id=document.merchant_id,
        action=action,
        object_kind="application",
        object_id=document.application.number,
        after={"document": document.id, "sha256": document.sha256, "found": found},
    )
