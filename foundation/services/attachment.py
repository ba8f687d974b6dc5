"""Papers of proposals: what is accepted, how they are named, and who may read them."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _

from config.errors import DomainError, Malformed
from foundation import actor, registries
from foundation.crypto import KeyUnknown, Tampered
from foundation.models import Approval, ApprovalAttachment

MOST_BYTES: Final = 5 * 1024 * 1024  # the database refuses more (approval_attachment.sql)
MOST_PAPERS: Final = 5
_LONGEST_NAME: Final = 100
_log = logging.getLogger(__name__)
_UNSAFE: Final = re.compile(r"[^\w.()\- ]+")
_BEGINNINGS: Final = (
    (b"%PDF-", "application/pdf", ".pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
    (b"\xff\xd8\xff", "image/jpeg", ".jpg"),
)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_MARKUP: Final = re.compile(rb"^\s*<|<(?:script|html|svg)", re.IGNORECASE)


class AttachmentDamaged(DomainError):
    """What lies in the database is not the paper that the proposal names; it is not handed out."""

    code = "attachment_damaged"


class AttachmentRefused(Malformed):
    """A paper is too large, one too many, empty, or of no kind that is accepted."""

    code = "attachment_refused"


@dataclass(frozen=True, slots=True)
class NewAttachment:
    """A paper as somebody sends it; its kind is told by its bytes, never by its name."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Paper:
    """An accepted paper: its safe name, its kind, its bytes."""

    name: str
    media_type: str
    content: bytes

    def described(self) -> dict[str, Any]:
        """Return what the proposal freezes of it."""
        return {
            "name": self.name,
            "media_type": self.media_type,
            "size_bytes": len(self.content),
            "sha256": hashlib.sha256(self.content).hexdigest(),
        }


def accept(papers: Sequence[NewAttachment | Paper]) -> list[Paper]:
    """
    Return the papers under safe names; those that were accepted before as they are.

    Looking through a file takes seconds: who holds locks has accepted his papers before.
    Raises AttachmentRefused, naming the paper. Rule: AP-9.
    """
    if len(papers) > MOST_PAPERS:
        raise AttachmentRefused(
            _("At most %(most)s attachments.") % {"most": MOST_PAPERS}, field="attachments"
        )
    return [paper if isinstance(paper, Paper) else _accepted(paper) for paper in papers]


def store(approval: Approval, papers: Sequence[Paper]) -> None:
    """Keep the bytes of a proposal's papers, in its own transaction."""
    who = actor.current()
    for position, paper in enumerate(papers):
        ApprovalAttachment.objects.create(
            merchant_id=approval.merchant_id,
            approval=approval,
            position=position,
            name=paper.name,
            media_type=paper.media_type,
            content=paper.content,
            actor=who.name,
            request_id=who.request_id,
        )


def read(*, merchant_id: int, approval_id: int, position: int) -> Paper | None:
    """
    Return one paper of a proposal, None if there is none: the very bytes the proposal names.

    Raises AttachmentDamaged for what does not decrypt here, or to other bytes. Rule: AP-9.
    """
    found = ApprovalAttachment.objects.select_related("approval").filter(
        merchant_id=merchant_id, approval_id=approval_id, position=position
    )
    kept = found.first()
    if kept is None:
        return None
    try:
        content = bytes(kept.content)
    except (Tampered, KeyUnknown) as error:
        raise _damaged(kept, type(error).__name__) from None
    paper = Paper(kept.name, kept.media_type, content)
    if paper.described() != kept.approval.attachments[position]:
        raise _damaged(kept, "another hash")
    return paper


def _damaged(kept: ApprovalAttachment, why: str) -> AttachmentDamaged:
    _log.error("paper %s of approval %s is damaged: %s", kept.position, kept.approval_id, why)
    return AttachmentDamaged(_("The paper is damaged and is not handed out."))


def _accepted(paper: NewAttachment) -> Paper:
    words = {"name": paper.name[:_LONGEST_NAME], "most": MOST_BYTES // 1024 // 1024}
    if not paper.content:
        raise AttachmentRefused(_("%(name)s is empty.") % words, field="attachments")
    if len(paper.content) > MOST_BYTES:
        raise AttachmentRefused(
            _("%(name)s is larger than %(most)s MiB.") % words, field="attachments"
        )
    kind = _kind(paper.content)
    if kind is None:
        raise AttachmentRefused(
            _("%(name)s is no PDF, PNG, JPEG or plain text.") % words, field="attachments"
        )
    media_type, ending = kind
    if media_type != "text/plain":
        _look_through(paper)
    return Paper(_safe(paper.name, ending), media_type, paper.content)


def _look_through(paper: NewAttachment) -> None:
    """Refuse what only begins like a PDF or a picture, and what would act or burst when opened."""
    for inspect in registries.file_inspectors:
        try:
            inspect(paper.content)
        except DomainError as refusal:
            said = f"{paper.name[:_LONGEST_NAME]}: {refusal}"
            raise AttachmentRefused(said, field="attachments") from refusal


def _kind(content: bytes) -> tuple[str, str] | None:
    """Return media type and ending by the first bytes; text is UTF-8 without markup or controls."""
    for beginning, media_type, ending in _BEGINNINGS:
        if content.startswith(beginning):
            return media_type, ending
    if _CONTROL.search(content) or _MARKUP.search(content):
        return None
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "text/plain", ".txt"


def _safe(name: str, ending: str) -> str:
    """Return the last part of a name without anything a shell, header or path might mean."""
    last = re.split(r"[\\/]", name)[-1].rpartition(".")
    stem = _UNSAFE.sub("_", last[0] or last[2]).strip(". ")[: _LONGEST_NAME - len(ending)]
    return f"{stem or 'paper'}{ending}"
