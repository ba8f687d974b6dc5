"""
Taking in CSV files of any size: streamed into a staging table, checked by SQL, all or nothing.

A caller opens one transaction and inside it: `stage` the file, `checks.find_bad`,
`checks.duplicates`, its own checks against what is stored, `raise_if_bad`, then its set-based
INSERT. Rules: docs/rules/imports.md.
"""

from foundation.csv_intake.checks import (
    CURRENCIES,
    Check,
    Rule,
    amount,
    amount_minor,
    choice,
    code,
    conflicts,
    currency,
    date,
    duplicates,
    find_bad,
    instant,
    matching,
    raise_if_bad,
    text,
)
from foundation.csv_intake.report import BadRow, FileRefused, Progress, register_reasons
from foundation.csv_intake.source import Source
from foundation.csv_intake.staging import Staged, stage

__all__ = [
    "CURRENCIES",
    "BadRow",
    "Check",
    "FileRefused",
    "Progress",
    "Rule",
    "Source",
    "Staged",
    "amount",
    "amount_minor",
    "choice",
    "code",
    "conflicts",
    "currency",
    "date",
    "duplicates",
    "find_bad",
    "instant",
    "matching",
    "raise_if_bad",
    "register_reasons",
    "stage",
    "text",
]
