"""Products and channels that a file names and nobody made yet."""

from __future__ import annotations

from datetime import datetime

from foundation import sql
from foundation.csv_intake import Staged

# ON CONFLICT without DO UPDATE: two files that name the same new code both find it afterwards.
_MAKE = """
INSERT INTO channels_{noun} (code, name, review_state, created_at)
SELECT DISTINCT s.{noun}, '', 'UNREVIEWED', %(at)s::timestamptz FROM {table} s
 WHERE s.{noun} NOT IN ('', '*')
   AND NOT EXISTS (SELECT FROM channels_{noun} c WHERE c.code = s.{noun})
 ORDER BY 1 ON CONFLICT (code) DO NOTHING"""


def make_missing(staged: Staged, *, at: datetime) -> None:
    """
    Create the products and channels of a checked staged file as UNREVIEWED.

    Facts are never refused for missing configuration. Rule: PAY-3 (docs/rules/payments.md).
    """
    for noun in ("product", "channel"):
        sql.execute(_MAKE.format(noun=noun, table=staged.table), {"at": at})
