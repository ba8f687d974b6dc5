"""What is wrong with a file, row by row, in words for people and codes for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from config.errors import DomainError

Progress = Callable[[int, int], None]  # bytes read, bytes in all

MAX_LISTED: Final = 10_000  # every bad row is counted, this many are listed
MAX_VALUE: Final = 200  # characters of a bad value that a report repeats

# Public reason codes, never renamed. `detail` is what a check has to say beside the value.
REASONS: Final[dict[str, str | Promise]] = {
    # the file as a whole
    "file_truncated": _("The archive ends in the middle: the file was cut."),
    "file_damaged": _("The archive is damaged: its checksum does not fit its content."),
    "not_gzip": _("The name ends with .gz, but the content is not a gzip archive."),
    "file_too_large": _("The file is larger than %(detail)s bytes."),
    "file_empty": _("The file has no header row."),
    "header_too_long": _("The header row is too long, or its lines do not end with a line feed."),
    "missing_column": _("The header has no column %(column)s."),
    "unknown_column": _("The header names a column that is not known: %(value)s."),
    "duplicate_column": _("The header names the column %(column)s twice."),
    # the shape of a row
    "blank_row": _("The row is empty."),
    "missing_values": _("The row ends before column %(column)s: it has %(value)s values."),
    "extra_values": _("The row has %(value)s values, more than the header has columns."),
    "misplaced_quote": _(
        "A quotation mark stands inside a value, or text follows a closing one (RFC 4180)."
    ),
    "unclosed_quote": _(
        "A quotation mark that opens in this row is never closed; nothing after it was read."
    ),
    "row_too_long": _("The row is longer than %(detail)s bytes; nothing after it was read."),
    "line_ending": _("A carriage return stands inside an unquoted value."),
    "encoding": _("The row is not valid %(detail)s text."),
    # a value
    "empty": _("A value is needed."),
    "too_long": _("The value has more than %(detail)s characters."),
    "control_character": _("The value holds a character that cannot be seen."),
    "surrounding_space": _("The value begins or ends with a space."),
    "other_form": _(
        "Not the plain form of a number: full-width digits or letters, accents apart from their"
        " letter, or unusual spaces."
    ),
    "amount_malformed": _("Not an amount: up to 14 digits, then a point and decimals if any."),
    "amount_zero": _("The amount must be larger than zero."),
    "too_many_decimals": _("More decimals than the currency has."),
    "amount_too_large": _("Larger than any amount we keep."),
    "currency_unknown": _("Not a currency we know (ISO 4217, upper case)."),
    "instant_malformed": _("Not a time: 2026-01-31T23:59:59+08:00 is one, the offset is needed."),
    "date_malformed": _("Not a date: 2026-01-31 is one."),
    "not_allowed": _("Not one of the values allowed here."),
    "malformed": _("The value has the wrong shape."),
    # against other rows
    "duplicate_in_file": _("Row %(detail)s of this file has the same number."),
    "conflict": _("This number is known with another value here: %(detail)s."),
}


@dataclass(frozen=True, slots=True)
class BadRow:
    """
    One reason to refuse a file: `row` counts from the header, which is 1; 0 is the whole file.
    """

    row: int
    column: str
    value: str
    reason: str
    detail: str = ""

    @property
    def message(self) -> str:
        """The reason in the reader's language, with the values in it."""
        words = {"column": self.column, "value": self.value, "detail": self.detail}
        return str(REASONS[self.reason]) % words

    def as_dict(self) -> dict[str, Any]:
        """Return what programs read."""
        return {
            "row": self.row,
            "column": self.column,
            "value": self.value,
            "reason": self.reason,
            "message": self.message,
        }


class FileRefused(DomainError):
    """
    A file has bad rows, so nothing of it was stored.

    `count` rows are bad; `bad` lists what is wrong with them, MAX_LISTED entries at most, and
    `not_listed` entries (a row may have several) are left out.
    """

    code = "file_refused"
    http_status = 400

    def __init__(
        self, bad: Sequence[BadRow], count: int | None = None, not_listed: int = 0
    ) -> None:
        self.bad = tuple(bad)
        self.count = len({row.row for row in self.bad}) if count is None else count
        self.not_listed = not_listed
        first = self.bad[0]
        words = {"count": self.count, "row": first.row, "message": first.message}
        super().__init__(
            str(_("Refused: %(count)s bad rows; row %(row)s: %(message)s")) % words, bad=self.bad
        )

    @classmethod
    def whole(cls, reason: str, detail: str = "") -> FileRefused:
        """Return the refusal of a file that cannot be read at all."""
        return cls([BadRow(0, "", "", reason, detail)])


def register_reasons(reasons: Mapping[str, str | Promise]) -> None:
    """
    Add a package's own reason codes (called from AppConfig.ready). Raises ValueError on a clash.
    """
    for reason, words in reasons.items():
        if REASONS.setdefault(reason, words) is not words:
            raise ValueError(f"the reason {reason} exists")
