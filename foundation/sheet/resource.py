"""What a sheet would do, row by row: django-import-export reads and judges, services write."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export import resources, widgets
from import_export.instance_loaders import BaseInstanceLoader
from tablib.core import Dataset

from config.errors import DomainError
from foundation.csv_intake import checks
from foundation.csv_intake.report import MAX_VALUE, REASONS, BadRow, FileRefused
from foundation.sheet.reading import RowsRefused, Table

MOST_FAULTS: Final = 1_000  # every fault is counted, this many are listed
_UNSEEN: Final = re.compile(checks.UNSEEN)
_IGNORED: Final = re.compile(checks.IGNORED)
_OTHER_FORM: Final = re.compile(checks.OTHER_FORM)
_EDGES: Final = re.compile(f"^{checks.SPACES}|{checks.SPACES}$")


class Effect(TextChoices):
    """What a row would do."""

    NEW = "NEW", gettext_lazy("new")
    CHANGED = "CHANGED", gettext_lazy("changed")
    KNOWN = "KNOWN", gettext_lazy("known")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a sheet; row 0 is the whole file."""

    row: int
    column: str
    value: str
    message: str


class SheetRefused(DomainError):
    """A sheet has bad rows, so nothing of it is stored; `faults` lists them, `count` all rows."""

    code = "sheet_refused"
    http_status = 400

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.count = len({fault.row for fault in faults})
        self.not_listed = max(0, len(faults) - MOST_FAULTS)
        self.faults = tuple(faults[:MOST_FAULTS])
        super().__init__(
            _("Refused: %(count)s bad rows; row %(row)s: %(message)s")
            % {"count": self.count, "row": faults[0].row, "message": faults[0].message}
        )


@dataclass(frozen=True, slots=True)
class Line:
    """A good row: its values in their one form, what it would do, and what it would change."""

    row_no: int
    values: Mapping[str, Any] = field(repr=False)
    effect: Effect
    changes: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a whole sheet would do."""

    lines: tuple[Line, ...]

    def count(self, effect: Effect) -> int:
        """Return how many rows would do this."""
        return sum(line.effect == effect for line in self.lines)

    @property
    def doing(self) -> list[Line]:
        """The rows that would do something."""
        return [line for line in self.lines if line.effect != Effect.KNOWN]


class Row:
    """A row while it is read; its attributes are the columns."""


class Checked(widgets.Widget):
    """Reads one cell by a function of ours, whose refusal becomes the cell's fault."""

    def __init__(self, read: Callable[[str], str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.read = read

    def clean(self, value: Any, row: Any = None, **_kwargs: Any) -> str:
        """Return the value in its one form. Raises ValueError with the words of the refusal."""
        try:
            return self.read(str(value))
        except DomainError as refusal:
            raise ValueError(str(refusal)) from refusal


def words(longest: int, *, required: bool = True, code: bool = False) -> Checked:
    """Return a cell of text, by the same rules as the streamed imports (IMP-4)."""

    def read(text: str) -> str:
        if not text and required:
            raise DomainError(str(REASONS["empty"]))
        if len(text) > longest:
            raise DomainError(str(REASONS["too_long"]) % {"detail": longest})
        if _UNSEEN.search(text) or (code and _IGNORED.search(text)):
            raise DomainError(str(REASONS["control_character"]))
        if _EDGES.search(text):
            raise DomainError(str(REASONS["surrounding_space"]))
        if code and (_OTHER_FORM.search(text) or not unicodedata.is_normalized("NFC", text)):
            raise DomainError(str(REASONS["other_form"]))
        return text

    return Checked(read)


class SheetResource(resources.Resource):
    """
    The columns of a sheet and what is judged about each row; it never writes.

    A subclass declares a `Field` for each column, and `key`; it may look things up for all rows at
    once in `prepare`, judge across columns in `judge`, and say in `effect` what a row would do.
    """

    secret: frozenset[str] = frozenset()  # columns whose values no report repeats

    class Meta:
        use_bulk = True  # no savepoint for each row
        skip_diff = True
        report_skipped = True
        clean_model_instances = False
        instance_loader_class = BaseInstanceLoader  # asked for nothing: there is no model

    def key(self, row: Row) -> Hashable:
        """Return what may stand in a sheet once; None where a row is too bad to say."""
        raise NotImplementedError

    def prepare(self, table: Table) -> None:
        """Look up what all rows need, in a bounded number of queries."""

    def judge(self, row: Row, row_no: int) -> Mapping[str, str]:
        """Return what is wrong across the columns of a row whose cells are right, by column."""
        return {}

    def effect(self, row: Row) -> tuple[Effect, Mapping[str, tuple[str, str]]]:
        """Return what a good row would do, and what it would change (before, after)."""
        return Effect.NEW, {}

    def plan(self, table: Table) -> Plan:
        """
        Return what the sheet would do. Raises SheetRefused naming every bad row.

        Rule: EXC-4 (docs/rules/exchange.md).
        """
        self.prepare(table)
        self._numbers = [row_no for row_no, _values in table.rows]
        self._seen: dict[Hashable, int] = {}
        dataset = Dataset(*(values for _row_no, values in table.rows), headers=table.columns)
        judge: Any = self.import_data  # the library carries no types
        result = judge(dataset, dry_run=True, retain_instance_in_row_result=True)
        for broken in result.row_errors():
            raise broken[1][0].error  # a bug, not a bad row
        if result.base_errors:
            raise result.base_errors[0].error
        if result.invalid_rows:
            raise SheetRefused(self._faults(table, result.invalid_rows))
        lines = []
        for row_no, found in zip(self._numbers, result.rows, strict=True):
            effect, changes = self.effect(found.instance)
            lines.append(Line(row_no, vars(found.instance), effect, changes))
        return Plan(tuple(lines))

    def get_or_init_instance(self, instance_loader: Any, row: Any) -> tuple[Row, bool]:
        """Return a row of our own: nothing is loaded from or saved to a model here."""
        return Row(), True

    def import_row(self, row: Any, instance_loader: Any, **kwargs: Any) -> Any:
        """Judge one row, knowing which it is."""
        self._row_no = self._numbers[kwargs["row_number"] - 1]
        of_library: Any = super()
        return of_library.import_row(row, instance_loader, **kwargs)

    def validate_instance(
        self, instance: Any, import_validation_errors: Any = None, validate_unique: bool = True
    ) -> None:
        """Add to the faults of the cells those across columns and rows."""
        faults: dict[str, Any] = dict(import_validation_errors or {})
        if not faults:
            faults |= self.judge(instance, self._row_no)
        key = None if faults else self.key(instance)
        if key is not None:
            first = self._seen.setdefault(key, self._row_no)
            if first != self._row_no:
                twice = str(REASONS["duplicate_in_file"]) % {"detail": first}
                faults[next(iter(self.fields))] = twice
        if faults:
            raise ValidationError(faults)

    def save_instance(self, instance: Any, is_create: bool, row: Any, **kwargs: Any) -> None:
        """Write nothing: a service does, when the sheet is confirmed."""

    def _faults(self, table: Table, invalid: Sequence[Any]) -> list[Fault]:
        found = []
        for one in invalid:
            row_no, values = table.rows[one.number - 1]
            cells = dict(zip(table.columns, values, strict=True))
            for column, messages in one.error_dict.items():
                value = "***" if column in self.secret else cells.get(column, "")[:MAX_VALUE]
                found += [Fault(row_no, column, value, str(message)) for message in messages]
        return sorted(found, key=lambda fault: (fault.row, table.columns.index(fault.column)))


def refused_by(refusal: FileRefused, resource: SheetResource) -> SheetRefused:
    """
    Return the refusal of a file's shape in the words of a sheet, together with what is wrong in the
    rows whose shape is right: who mends a file wants to hear all at once.
    """
    faults = [_fault(bad, resource.secret) for bad in refusal.bad]
    if not isinstance(refusal, RowsRefused) or not refusal.rest.rows:
        return SheetRefused(faults)
    try:
        resource.plan(refusal.rest)
    except SheetRefused as more:
        found = SheetRefused(sorted([*faults, *more.faults], key=lambda fault: fault.row))
        found.count = len({fault.row for fault in faults}) + more.count
        found.not_listed += more.not_listed
        return found
    return SheetRefused(faults)


def _fault(bad: BadRow, secret: frozenset[str]) -> Fault:
    value = "***" if bad.column in secret and bad.value else bad.value
    return Fault(bad.row, bad.column, value, bad.message)
