"""Exports: asked for, written by a worker in bounded memory, handed out to their owner, deleted."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import IO, Any, Final

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from config.errors import DomainError, Forbidden, Malformed, NotFound
from foundation import actor, pieces, registries, sheet
from foundation.crypto import KeyUnknown, Tampered
from foundation.exchange import Exportable
from foundation.models import FileExport, FileExportPart, Job, User
from foundation.selectors.house import house_id
from foundation.services import audit, outbox
from foundation.services import job as jobs

RIGHT: Final = "foundation.add_fileexport"
TASK: Final = "foundation.write_export"
JOB: Final = "export"
KEPT: Final = timedelta(hours=24)
MOST_ROWS: Final = 200_000
MOST_OPEN: Final = 5  # exports of one person that are written or kept at a time
_CHUNK: Final = 500  # rows read at a time
TOO_MANY: Final = gettext_noop("More than 200,000 rows: choose fewer by the filter.")
CANCELLED: Final = gettext_noop("Stopped by a person.")
NO_RIGHT: Final = gettext_noop("Who asked for it may no longer have it.")
_log = logging.getLogger(__name__)


class TooManyExports(DomainError):
    """One person has as many exports as are kept for one."""

    code = "too_many_exports"


class FilterMalformed(Malformed):
    """A filter or format that this export does not have."""

    code = "export_filter_malformed"


class ExportDamaged(DomainError):
    """The file in the database is not the one that was written; it is not handed out."""

    code = "export_damaged"


def exportable(kind: str, user: User) -> Exportable:
    """Return a kind of list to who may take it out. Raises NotFound, Forbidden. Rule: EXC-6."""
    if kind not in registries.exportables:
        raise NotFound(_("There is no such export."))
    found = registries.exportables.get(kind)
    if not (user.has_perm(RIGHT) and user.has_perm(found.permission)):
        raise Forbidden(_("You may not export this."))
    return found


def request(
    *, kind: str, filter: Mapping[str, str], format: str, user: User, at: datetime
) -> FileExport:
    """
    Ask for an export; a worker writes it.

    Raises: NotFound, Forbidden, FilterMalformed, TooManyExports.
    Rule:   EXC-8 (docs/rules/exchange.md).
    """
    of = exportable(kind, user)
    chosen = {name: value for name, value in filter.items() if value}
    if set(chosen) - set(of.fields) or format not in sheet.FORMATS:
        raise FilterMalformed(_("This export has no such filter."))
    of.rows(chosen)  # reads nothing yet; a value it cannot take is refused here, not in the worker
    with transaction.atomic():
        who = actor.stamp_transaction()
        mine = FileExport.objects.filter(merchant_id=house_id(), requested_by=user)
        if mine.filter(state__in=["REQUESTED", "READY"]).count() >= MOST_OPEN:
            raise TooManyExports(_("You have %(most)s exports: delete one.") % {"most": MOST_OPEN})
        export = FileExport.objects.create(
            merchant_id=house_id(),
            kind=kind,
            filter=chosen,
            format=format,
            requested_by=user,
            requested_at=at,
            expires_at=at + KEPT,
            actor=who.name,
            request_id=who.request_id,
        )
        _record(export, "file.export")
        outbox.add(
            TASK,
            merchant_id=export.merchant_id,
            payload={"export_id": export.id},
            key=str(export.id),
        )
    return export


def write(*, export_id: int, at: datetime) -> None:
    """
    Write the file of an export that was asked for; safe to run any number of times.

    Rows are read by primary key a few hundred at a time, the file goes through the disk into the
    database in pieces: memory does not grow with it. Raises JobRunning while another does it.
    Rule: EXC-7, EXC-8.
    """
    export = FileExport.objects.select_related("requested_by").get(
        merchant_id=house_id(), id=export_id
    )
    if export.state != FileExport.State.REQUESTED or export.expires_at <= at:
        return
    try:
        of = exportable(export.kind, export.requested_by)
    except (Forbidden, NotFound):
        _fail(export, NO_RIGHT, at)
        return
    total = of.rows(export.filter).order_by()[: MOST_ROWS + 1].count()
    if total > MOST_ROWS:
        _fail(export, TOO_MANY, at)
        return
    job = jobs.start(JOB, str(export.id), total)
    try:
        resource = of.resource()
        rows = _rows(of, resource, export, job)
        with sheet.written(export.format, resource.get_export_headers(), rows) as file:
            _keep(export, file, Job.objects.get(id=job.id).done)
    except _Stopped:
        _fail(export, CANCELLED, at)
        jobs.cancel(job.id, fence=job.fence)
    except Exception as error:
        jobs.fail(job.id, type(error).__name__, fence=job.fence)
        raise
    else:
        jobs.finish(job.id, fence=job.fence)


def read(*, export_id: int, user: User, at: datetime) -> tuple[FileExport, Iterator[bytes]]:
    """
    Return an export and its file, piece by piece, to who asked for it and still may; recorded.

    The whole file is proved before its first byte goes out. Raises: NotFound, ExportDamaged.
    Rule: EXC-6, EXC-8.
    """
    export = _own(export_id, user)
    if export.state != FileExport.State.READY or export.expires_at <= at:
        raise NotFound(_("The file is not there."))
    exportable(export.kind, user)
    sound = _is_sound(export)
    with transaction.atomic():
        actor.stamp_transaction()
        if sound:
            FileExport.objects.filter(merchant_id=export.merchant_id, id=export.id).update(
                downloads=F("downloads") + 1
            )
        _record(export, "file.download" if sound else "file.damaged")
    if not sound:
        raise ExportDamaged(_("The file is damaged: ask for it again."))
    return export, _pieces(export)


def sent(
    *,
    kind: str,
    filter: Mapping[str, str],
    format: str,
    user: User,
    lines: Iterator[str],
    frame: int,
    at: datetime,
) -> Iterator[bytes]:
    """
    Log a list that goes out at once, line by line, and return its bytes to send.

    `frame`: lines that are no rows (head, balances). Rows, size and hash are known once the last
    line went out; a list that was broken off has none of them. Nothing is kept of it. Rule: EXC-9.
    """
    with transaction.atomic():
        who = actor.stamp_transaction()
        export = FileExport.objects.create(
            merchant_id=house_id(),
            kind=kind,
            filter=dict(filter),
            format=format,
            state=FileExport.State.SENT,
            requested_by=user,
            requested_at=at,
            expires_at=at,
            closed_at=at,
            actor=who.name,
            request_id=who.request_id,
        )
        _record(export, "file.sent")
    return _counted(export, lines, frame)


def delete(*, export_id: int, user: User, at: datetime) -> None:
    """Delete the file of one's own export before its time. Raises NotFound."""
    with transaction.atomic():
        actor.stamp_transaction()
        _delete(_own(export_id, user, lock=True), at)


def expire_due(*, at: datetime) -> int:
    """Delete the files whose time is over; return how many. Rule: EXC-8."""
    due = FileExport.objects.filter(
        merchant_id=house_id(), state__in=["REQUESTED", "READY"], expires_at__lte=at
    )
    ids = list(due.values_list("id", flat=True)[:1000])
    for export_id in ids:
        with transaction.atomic():
            actor.stamp_transaction()
            _delete(_locked(export_id), at)
    return len(ids)


class _Stopped(Exception):
    """A person asked the job to stop."""


def _rows(of: Exportable, resource: Any, export: FileExport, job: Job) -> Iterator[list[Any]]:
    """Yield the cells of every row by primary key, telling how far it is."""
    chosen, last, done = of.rows(export.filter).order_by("pk"), 0, 0
    while done <= MOST_ROWS and (chunk := list(chosen.filter(pk__gt=last)[:_CHUNK])):
        for one in chunk:
            yield resource.export_resource(one)
        last, done = chunk[-1].pk, done + len(chunk)
        jobs.advance(job.id, done, fence=job.fence)
        if jobs.cancel_requested(job.id):
            raise _Stopped


def _keep(export: FileExport, file: IO[bytes], rows: int) -> None:
    """Put the file into the database, whole or not at all."""
    digest, size = hashlib.sha256(), 0
    with transaction.atomic():
        actor.stamp_transaction()
        kept = _locked(export.id)
        if kept.state != FileExport.State.REQUESTED:
            return
        for piece in pieces.cut(file, of=kept.uuid):
            digest.update(piece.content)
            size += len(piece.content)
            FileExportPart.objects.create(
                merchant_id=kept.merchant_id,
                export=kept,
                position=piece.position,
                uuid=piece.uuid,
                content=piece.content,
            )
        kept.state, kept.rows, kept.size_bytes = FileExport.State.READY, rows, size
        kept.sha256 = digest.hexdigest()
        kept.save(update_fields=["state", "rows", "size_bytes", "sha256"])
        _record(kept, "file.written")


def _fail(export: FileExport, reason: str, at: datetime) -> None:
    with transaction.atomic():
        actor.stamp_transaction()
        kept = _locked(export.id)
        if kept.state == FileExport.State.REQUESTED:
            kept.state, kept.message, kept.closed_at = FileExport.State.FAILED, reason, at
            kept.save(update_fields=["state", "message", "closed_at"])


def _delete(export: FileExport, at: datetime) -> None:
    if export.state not in (FileExport.State.REQUESTED, FileExport.State.READY):
        return
    FileExportPart.objects.filter(merchant_id=export.merchant_id, export=export).delete()
    export.state, export.closed_at = FileExport.State.DELETED, at
    export.save(update_fields=["state", "closed_at"])


def _counted(export: FileExport, lines: Iterator[str], frame: int) -> Iterator[bytes]:
    digest, size, many = hashlib.sha256(), 0, 0
    for line in lines:
        raw = line.encode()
        digest.update(raw)
        size, many = size + len(raw), many + 1
        yield raw
    FileExport.objects.filter(merchant_id=export.merchant_id, id=export.id).update(
        rows=many - frame, size_bytes=size, sha256=digest.hexdigest()
    )


def _pieces(export: FileExport) -> Iterator[bytes]:
    """Yield the file. Raises Tampered, KeyUnknown."""
    parts = FileExportPart.objects.filter(merchant_id=export.merchant_id, export_id=export.id)
    return pieces.joined(lambda position: parts.filter(position=position).first(), of=export.uuid)


def _is_sound(export: FileExport) -> bool:
    try:
        pieces.prove(_pieces(export), export.sha256)
    except (Tampered, KeyUnknown) as error:
        _log.error("the file of export %s is damaged: %s", export.id, type(error).__name__)
        return False
    return True


def _own(export_id: int, user: User, *, lock: bool = False) -> FileExport:
    found = FileExport.objects.filter(merchant_id=house_id(), id=export_id, requested_by=user)
    export = (found.select_for_update() if lock else found).first()
    if export is None:
        raise NotFound(_("There is no such export."))
    return export


def _locked(export_id: int) -> FileExport:
    return FileExport.objects.select_for_update().get(merchant_id=house_id(), id=export_id)


def _record(export: FileExport, action: str) -> None:
    audit.record(
        merchant_id=export.merchant_id,
        action=action,
        object_kind="file_export",
        object_id=str(export.id),
        after={
            "kind": export.kind,
            "filter": export.filter,
            "format": export.format,
            "rows": export.rows,
        },
    )
