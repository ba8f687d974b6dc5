"""Papers of an application: taken in, taken off, shown."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePath
from typing import IO, Final
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from config.errors import DomainError, NotFound
from foundation import actor
from foundation.models import User
from foundation.services import audit
from merchants.models import Document
from merchants.selectors import application as applications
from merchants.services import application_change, document_content, document_part
from merchants.services.application import open_for_change

MOST: Final = 40  # papers of one application, those taken off included
NAME_MOST: Final = 80


class TooManyDocuments(DomainError):
    """The application has as many papers as one may have."""

    code = "too_many_documents"


def add(
    *, application_id: int, kind: str, file: IO[bytes], file_name: str, maker: User, at: datetime
) -> Document:
    """
    Take a file in, after looking through all of it; the same bytes of one kind are taken in once.

    Raises: DocumentRefused, TooManyDocuments, Busy, NotFound, NotOpen; ValueError for an unknown
            kind.
    Rule:   DOC-1 to DOC-6, DOC-10 (docs/rules/documents.md).
    """
    kind = str(Document.Kind(kind))
    content = file.read(document_content.MAX_BYTES + 1)
    digest = hashlib.sha256(content).hexdigest()
    _there(application_id, kind, digest)  # refused before it costs anything
    seen = document_content.inspect(content, draw=True)
    with transaction.atomic():
        actor.stamp_transaction()
        application = open_for_change(application_id, maker)
        there = _there(application_id, kind, digest)
        if there is not None:
            return there
        document = Document.objects.create(
            merchant_id=application.merchant_id,
            application=application,
            kind=kind,
            file_name=safe_name(file_name, seen.content_type),
            content_type=seen.content_type,
            part_count=document_part.count(len(content)),
            preview_count=len(seen.previews),
            sha256=digest,
            size_bytes=len(content),
            pages=seen.pages,
            uploaded_by=maker,
            uploaded_at=at,
        )
        document_part.store(document, content, seen.previews)
        _record(document, application.number, "document.add")
    return document


def remove(*, application_id: int, document_id: int, maker: User, at: datetime) -> None:
    """
    Take a paper off an open application; its bytes stay, for a version may name them. One that a
    change carried over is left out of it and stays where it came from.

    Raises: NotFound, NotOpen. Rule: DOC-6.
    """
    with transaction.atomic():
        actor.stamp_transaction()
        application = open_for_change(application_id, maker)
        if application_change.leave_out(application, document_id) is not None:
            return
        found = Document.objects.filter(
            merchant_id=application.merchant_id,
            application=application,
            id=document_id,
            removed_at=None,
        )
        document = found.defer("content", "preview").first()
        if document is None:
            raise NotFound(_("There is no such paper."))
        document.removed_at = at
        document.save(update_fields=["removed_at"])
        _record(document, application.number, "document.remove")


def read(*, uuid: UUID, at: datetime) -> tuple[Document, Iterator[bytes]]:
    """
    Return a paper with its bytes, piece by piece, and record that it was taken out.

    Raises: NotFound, DocumentDamaged. Rule: DOC-7, DOC-8.
    """
    document = _find(uuid)
    content = document_part.opened(document, at)
    _looked(document, "document.download")
    return document, content


def look(*, uuid: UUID, page: int, at: datetime) -> bytes:
    """
    Return the picture of a page of a paper (JPEG), and record that it was looked at.

    Raises: NotFound, DocumentDamaged. Rule: DOC-7, DOC-8.
    """
    document = _find(uuid)
    picture = document_part.picture(document, page, at)
    if picture is None:
        raise NotFound(_("There is no such paper."))
    _looked(document, "document.look")
    return picture


def safe_name(name: str, content_type: str) -> str:
    """
    Return a name that is safe anywhere: letters, digits, blanks and . _ - of the last part of a
    path, and the ending of what the bytes are.
    """
    last = PurePath(unicodedata.normalize("NFKC", name).replace("\\", "/")).name
    stem = last.rpartition(".")[0] or last
    kept = re.sub(r"[^\w .-]", "", stem).strip(" .-")[:NAME_MOST] or "document"
    return f"{kept}.{document_content.SUFFIX[content_type]}"


def _there(application_id: int, kind: str, digest: str) -> Document | None:
    """Return the paper of these bytes, if it has one. Raises TooManyDocuments without room."""
    mine = Document.objects.filter(
        merchant_id=applications.house_id(), application_id=application_id
    ).defer("content", "preview")
    there = mine.filter(kind=kind, sha256=digest, removed_at=None).first()
    if there is None and mine.count() >= MOST:
        raise TooManyDocuments(_("An application has at most %(most)s papers.") % {"most": MOST})
    return there


def _find(uuid: UUID) -> Document:
    found = Document.objects.filter(merchant_id=applications.house_id(), uuid=uuid)
    document = found.defer("content", "preview").select_related("application").first()
    if document is None:
        raise NotFound(_("There is no such paper."))
    return document


def _looked(document: Document, action: str) -> None:
    with transaction.atomic():
        actor.stamp_transaction()
        _record(document, document.application.number, action)


def _record(document: Document, number: str, action: str) -> None:
    audit.record(
        merchant_id=document.merchant_id,
        action=action,
        object_kind="application",
        object_id=number,
        after={
            "document": document.id,
            "kind": document.kind,
            "sha256": document.sha256,
            "size_bytes": document.size_bytes,
        },
    )
