"""
Sheets that people keep: CSV and XLSX of a few thousand rows, read whole, checked row by row with
django-import-export, and written again as exports.

What comes in millions streams through `csv_intake` instead. Rules: docs/rules/exchange.md.
"""

from foundation.sheet.reading import REASONS, RowsRefused, Table, read
from foundation.sheet.resource import (
    Checked,
    Effect,
    Fault,
    Line,
    Plan,
    SheetRefused,
    SheetResource,
    refused_by,
    words,
)
from foundation.sheet.writing import FORMATS, Format, safe, written

__all__ = [
    "FORMATS",
    "REASONS",
    "Checked",
    "Effect",
    "Fault",
    "Format",
    "Line",
    "Plan",
    "RowsRefused",
    "SheetRefused",
    "SheetResource",
    "Table",
    "read",
    "refused_by",
    "safe",
    "words",
    "written",
]
