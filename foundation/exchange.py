"""What packages offer for import and export as sheets; registered in `registries`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from django.db.models import QuerySet

if TYPE_CHECKING:
    from django.utils.functional import Promise

    from foundation.models import User
    from foundation.sheet import Plan, SheetResource


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a sheet that is taken in: its name in the header and what belongs there."""

    name: str
    meaning: str | Promise
    required: bool = True


class Storing(Protocol):
    """Does what a confirmed sheet says, in the caller's transaction; returns what to tell."""

    def __call__(self, *, plan: Plan, source: Source, maker: User, at: datetime) -> str: ...


@dataclass(frozen=True, slots=True)
class Source:
    """Where the rows come from: the kept upload, its name and the hash of its bytes."""

    import_id: int
    file_name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Importable:
    """
    A kind of sheet that staff may bring in.

    `permission` is needed beside `foundation.add_fileimport`. `resource()` judges, `store` does
    what the rows say, or proposes it. `onward` names the admin's page to go to afterwards, `row`
    says what the preview shows of a row, with secrets masked.
    """

    name: str
    title: str | Promise
    intro: str | Promise
    permission: str
    columns: tuple[Column, ...]
    resource: Callable[[], SheetResource]
    store: Storing
    shown: Callable[[Mapping[str, Any]], list[str]]
    onward: str
    most_rows: int = 2_000


class Exporting(Protocol):
    """What of django-import-export's resource an export uses: the header, and a row's cells."""

    def get_export_headers(self) -> list[str]: ...

    def export_resource(self, instance: Any) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Exportable:
    """
    A kind of list that staff may take out.

    `permission` is needed beside `foundation.add_fileexport`. `rows` returns what a filter chooses
    (in any order: it is read by primary key), and raises FilterMalformed naming the field it cannot
    take; `fields` are those to filter by with the values they may have, none for free text.
    """

    name: str
    title: str | Promise
    permission: str
    resource: Callable[[], Exporting]
    rows: Callable[[Mapping[str, str]], QuerySet[Any]]
    fields: Mapping[str, tuple[str | Promise, tuple[tuple[str, str | Promise], ...]]]
    onward: str
