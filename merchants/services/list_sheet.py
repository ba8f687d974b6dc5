"""Sheets whose rows are judged by the very statements of an import, and become one proposal."""

from __future__ import annotations

import io
from abc import abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from django.db import transaction

from foundation import sheet
from foundation.csv_intake import FileRefused
from foundation.csv_intake import Source as Stream
from foundation.sheet import Effect


class ListSheet(sheet.SheetResource):
    """
    A list judged by the import of the same name: its statements run over the rows, and all they
    left is taken back. A row that is known is as the sheet says, or it is bad.
    """

    number = ""  # the column that tells rows apart, the first one

    @abstractmethod
    def examine(self, rows: Sequence[Sequence[str]]) -> None:
        """Raise FileRefused naming every bad row."""

    @abstractmethod
    def known(self, numbers: set[str]) -> set[str]:
        """Return which of these are stored already."""

    def key(self, row: Any) -> Hashable:
        """Return nothing: the statements find what stands twice."""
        return None

    def prepare(self, table: sheet.Table) -> None:
        """Run the statements, and see what is known."""
        self._bad: dict[int, dict[str, str]] = {}
        for one in self._refused([values for _no, values in table.rows]):
            row_no = table.rows[one.row - 2][0]  # staged rows count from 2, without a gap
            self._bad.setdefault(row_no, {}).setdefault(one.column, one.message)
        numbers = {values[0] for _no, values in table.rows}
        self._known = self.known({one for one in numbers if "\0" not in one})

    def judge(self, row: Any, row_no: int) -> Mapping[str, str]:
        """Return what the statements found in a row."""
        return self._bad.get(row_no, {})

    def effect(self, row: Any) -> tuple[Effect, Mapping[str, tuple[str, str]]]:
        """Return that a row does something, unless it is known."""
        return (Effect.KNOWN if getattr(row, self.number) in self._known else Effect.NEW), {}

    def _refused(self, rows: Sequence[Sequence[str]]) -> Sequence[Any]:
        with transaction.atomic():
            try:
                self.examine(rows)
            except FileRefused as refusal:
                return refusal.bad
            finally:
                transaction.set_rollback(True)
        return ()


def stream(name: str, text: str) -> Stream:
    """Return a list as the import reads a file."""
    content = text.encode()
    return Stream.from_upload(name, len(content), io.BytesIO(content))
