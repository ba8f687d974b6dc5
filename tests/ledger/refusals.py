"""A refusal stores nothing: the ledger before and after it is compared row by row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import transaction

from foundation import sql


@contextmanager
def refused(error: type[Exception]) -> Iterator[pytest.ExceptionInfo[Exception]]:
    """Expect the error, and that it leaves no entry, posting, balance or hold behind."""
    before = _everything()
    with pytest.raises(error) as caught, transaction.atomic():
        yield caught  # type: ignore[misc]
    assert _everything() == before


def _everything() -> list[sql.Row]:
    return sql.rows(
        """SELECT 'account' AS what, id, balance AS a, held AS b, seq AS c FROM ledger_account
           UNION ALL SELECT 'entry', id, 0, 0, 0 FROM ledger_entry
           UNION ALL SELECT 'posting', id, amount_minor, seq, balance_after FROM ledger_posting
           UNION ALL SELECT 'hold', id, amount_minor, captured_minor, entry_id FROM ledger_hold
           ORDER BY 1, 2"""
    )
