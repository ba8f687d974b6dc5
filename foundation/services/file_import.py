"""Imports of sheets by staff: check, keep, show, confirm whole or not at all, forget."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from config.errors import DomainError, Forbidden, Malformed, NotFound
from foundation import actor, registries, sheet
from foundation.csv_intake import FileRefused
from foundation.exchange import Importable, Source
from foundation.models import FileImport, User
from foundation.selectors.house import house_id
from foundation.services import audit

RIGHT: Final = "foundation.add_fileimport"
MOST_BYTES: Final = 5 * 1024 * 1024
KEPT: Final = timedelta(hours=2)
MOST_WAITING: Final = 20  # unconfirmed uploads of one person
_NAME_MOST: Final = 100


class ImportClosed(DomainError):
    """The upload was confirmed or discarded before, or its time is over."""

    code = "import_closed"


class UploadRefused(Malformed):
    """The upload cannot be looked at: too large, or too many wait."""

    code = "upload_refused"
    field = "file"


def importable(kind: str, user: User) -> Importable:
    """Return a kind of sheet to who may bring it in. Raises NotFound, Forbidden. Rule: EXC-6."""
    if kind not in registries.importables:
        raise NotFound(_("There is no such import."))
    found = registries.importables.get(kind)
    if not (user.has_perm(RIGHT) and user.has_perm(found.permission)):
        raise Forbidden(_("You may not import this."))
    return found


def check(
    *, kind: str, file_name: str, content: bytes, encoding: str, maker: User, at: datetime
) -> FileImport:
    """
    Judge a sheet and keep it, encrypted, until its maker confirms it; a bad one leaves no trace.

    Raises: Forbidden, UploadRefused, SheetRefused naming every bad row.
    Rule:   EXC-1 to EXC-5 (docs/rules/exchange.md).
    """
    of = importable(kind, maker)
    if len(content) > MOST_BYTES:
        raise UploadRefused(
            _("The file is larger than %(most)s MiB.") % {"most": MOST_BYTES // 1024 // 1024}
        )
    table = _read(of, content, encoding)
    plan = of.resource().plan(table)
    with transaction.atomic():
        who = actor.stamp_transaction()
        mine = _waiting().filter(made_by=maker, expires_at__gt=at)
        if mine.count() >= MOST_WAITING:
            raise UploadRefused(_("Confirm or discard what you uploaded before."))
        kept = FileImport.objects.create(
            merchant_id=house_id(),
            kind=kind,
            file_name=_safe(file_name),
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            rows=len(plan.lines),
            new=plan.count(sheet.Effect.NEW),
            changed=plan.count(sheet.Effect.CHANGED),
            content=table.as_text(),
            made_by=maker,
            made_at=at,
            expires_at=at + KEPT,
            actor=who.name,
            request_id=who.request_id,
        )
        _record(kept, "file.check")
    return kept


def plan(kept: FileImport) -> sheet.Plan:
    """Return what a kept sheet would do as things stand now. Raises SheetRefused, ImportClosed."""
    if kept.state != FileImport.State.CHECKED:
        raise _closed(kept)
    return (
        registries.importables.get(kept.kind)
        .resource()
        .plan(sheet.Table.from_text(str(kept.content)))
    )


def confirm(*, import_id: int, maker: User, at: datetime) -> str:
    """
    Do what the sheet says, whole or not at all, judged again as things stand now; return what to
    tell. Only who uploaded it may, once.

    Raises: NotFound, Forbidden, ImportClosed, SheetRefused, and what the kind's service refuses.
    Rule:   EXC-4, EXC-5.
    """
    with transaction.atomic():
        actor.stamp_transaction()
        kept = _locked(import_id, maker, at)
        of = importable(kept.kind, maker)
        found = plan(kept)
        told = of.store(
            plan=found,
            source=Source(kept.id, kept.file_name, kept.sha256),
            maker=maker,
            at=at,
        )
        _close(kept, FileImport.State.CONFIRMED, at)
        _record(kept, "file.import")
    return told


def discard(*, import_id: int, maker: User, at: datetime) -> None:
    """Forget an upload instead of confirming it. Raises NotFound, ImportClosed."""
    with transaction.atomic():
        actor.stamp_transaction()
        _close(_locked(import_id, maker, at), FileImport.State.DISCARDED, at)


def find(*, import_id: int, maker: User) -> FileImport:
    """Return an upload to who made it. Raises NotFound."""
    found = FileImport.objects.filter(merchant_id=house_id(), id=import_id, made_by=maker).first()
    if found is None:
        raise NotFound(_("There is no such upload."))
    return found


def expire_due(*, at: datetime) -> int:
    """Forget the rows of uploads that nobody confirmed in time; return how many. Rule: EXC-5."""
    with transaction.atomic():
        actor.stamp_transaction()
        return (
            _waiting()
            .filter(expires_at__lte=at)
            .update(state=FileImport.State.EXPIRED, content=None, closed_at=at)
        )


def _read(of: Importable, content: bytes, encoding: str) -> sheet.Table:
    try:
        return sheet.read(
            content,
            columns=[column.name for column in of.columns],
            optional=[column.name for column in of.columns if not column.required],
            encoding=encoding,
            most_rows=of.most_rows,
        )
    except FileRefused as refusal:
        raise sheet.refused_by(refusal, of.resource()) from refusal


def _waiting() -> QuerySet[FileImport]:
    return FileImport.objects.filter(merchant_id=house_id(), state=FileImport.State.CHECKED)


def _locked(import_id: int, maker: User, at: datetime) -> FileImport:
    find(import_id=import_id, maker=maker)
    kept = FileImport.objects.select_for_update().get(merchant_id=house_id(), id=import_id)
    if kept.state != FileImport.State.CHECKED or kept.expires_at <= at:
        raise _closed(kept)
    return kept


def _closed(kept: FileImport) -> ImportClosed:
    return ImportClosed(
        _("Upload %(name)s no longer waits for confirmation.") % {"name": kept.file_name}
    )


def _close(kept: FileImport, state: FileImport.State, at: datetime) -> None:
    kept.state, kept.content, kept.closed_at = state, None, at
    kept.save(update_fields=["state", "content", "closed_at"])


def _safe(name: str) -> str:
    last = PurePath(name.replace("\\", "/")).name
    kept = "".join(letter if letter.isprintable() else "_" for letter in last)
    return kept[-_NAME_MOST:] or "sheet"


def _record(kept: FileImport, action: str) -> None:
    audit.record(
        merchant_id=kept.merchant_id,
        action=action,
        object_kind="file_import",
        object_id=str(kept.id),
        after={
            "kind": kept.kind, "name": kept.file_name, "sha256": kept.sha256, "rows": kept.rows,
            "new": kept.new, "changed": kept.changed,
        },
    )  # fmt: skip
