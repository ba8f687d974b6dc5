"""All that was done to one thing: changes of its row, acts on it, proposals about it, decisions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any, Final

from django.db.models import QuerySet
from django.utils.translation import gettext

from foundation import registries
from foundation.models import Approval, ApprovalDecision, AuditEvent, History
from foundation.selectors.person import names

PAGE: Final = 30
_USER: Final = re.compile(r"user:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SOURCES: Final = ("change", "act", "proposal", "decision")


@dataclass(frozen=True, slots=True)
class Thing:
    """What a timeline is about, as the four sources call it; `book` is where its facts lie."""

    table: str
    key: str
    book: int
    kind: str
    names: Sequence[str]
    subjects: Sequence[str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: when, who, from where, under which request, what, before and after."""

    source: str
    id: int
    at: datetime
    actor: str
    origin: str
    request_id: str
    what: str
    note: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    approval_id: int | None = None


def page(
    thing: Thing, *, sources: Iterable[str] = SOURCES, after: Mapping[str, int] | None = None
) -> tuple[list[Entry], dict[str, int] | None]:
    """
    Return a page, latest first, and where the next one begins (None after the last).

    A place is the last id that was shown of each source, so each source is read by its key: at
    most PAGE + 1 rows of each, at any depth.
    """
    place = dict(after or {})
    found = [
        _read(source, thing, place.get(source)) for source in SOURCES if source in tuple(sources)
    ]
    merged = list(islice(merge(*found, key=lambda one: one.at, reverse=True), PAGE + 1))
    shown = merged[:PAGE]
    if len(merged) <= PAGE:
        return shown, None
    for one in shown:
        place[one.source] = min(one.id, place.get(one.source, one.id))
    return shown, place


def people(actors: Iterable[str]) -> dict[str, str]:
    """Return how the actors of a page are called, in one statement."""
    keys = {one.removeprefix("user:") for one in actors if _USER.fullmatch(one)}
    called = {f"user:{key}": name for key, name in names(keys).items()}
    return {**called, "anonymous": gettext("not signed in")}


def _read(source: str, thing: Thing, before: int | None) -> list[Entry]:
    rows, entry = _READERS[source]
    found = rows(thing).order_by("-id")
    if before is not None:
        found = found.filter(id__lt=before)
    return [entry(row) for row in found[: PAGE + 1]]  # by key: the next page leaves none out


def _changes(thing: Thing) -> QuerySet[Any]:
    return History.objects.filter(table=thing.table, row_id=thing.key)


def _acts(thing: Thing) -> QuerySet[Any]:
    return AuditEvent.objects.filter(
        merchant=thing.book, object_kind=thing.kind, object_id__in=list(thing.names)
    )


def _proposals(thing: Thing) -> QuerySet[Any]:
    return Approval.objects.filter(merchant=thing.book, subject__in=list(thing.subjects))


def _decisions(thing: Thing) -> QuerySet[Any]:
    return ApprovalDecision.objects.filter(
        merchant=thing.book, approval__subject__in=list(thing.subjects)
    ).select_related("approval")


def _change(row: History) -> Entry:
    before, after = row.before or {}, row.after or {}
    both = before and after
    named = {name for name in {**before, **after} if before.get(name) != after.get(name)}
    return Entry(
        "change", row.pk, row.changed_at, row.actor, row.origin, row.request_id, row.operation, "",
        {name: value for name, value in before.items() if not both or name in named},
        {name: value for name, value in after.items() if not both or name in named},
    )  # fmt: skip


def _act(row: AuditEvent) -> Entry:
    return Entry(
        "act", row.pk, row.occurred_at, row.actor, row.origin, row.request_id,
        registries.act_of(row.action), row.note, row.before or {}, row.after or {},
    )  # fmt: skip


def _proposal(row: Approval) -> Entry:
    known = row.action in registries.approval_actions
    what = registries.approval_actions.get(row.action).describe(row) if known else row.action
    return Entry(
        "proposal", row.pk, row.proposed_at, row.actor, "", row.request_id, what, row.reason,
        row.before, row.after, row.pk,
    )  # fmt: skip


def _decision(row: ApprovalDecision) -> Entry:
    return Entry(
        "decision", row.pk, row.decided_at, row.actor, "", row.request_id,
        "approves" if row.approves else "rejects", row.reason, {}, {}, row.approval_id,
    )  # fmt: skip


_READERS: Final[Mapping[str, tuple[Callable[[Thing], QuerySet[Any]], Callable[[Any], Entry]]]] = {
    "change": (_changes, _change),
    "act": (_acts, _act),
    "proposal": (_proposals, _proposal),
    "decision": (_decisions, _decision),
}
