"""Who paid: kept as a mask for people and a keyed hash for comparing, never as it came."""

from __future__ import annotations

from typing import Final

from django.db import connection

from foundation import crypto, sql
from foundation.csv_intake import Staged

TABLE: Final = (
    "pg_temp.intake_payer"  # (row_no, payer_hash, payer_masked) of rows that name a payer
)
_BATCH: Final = 5_000


def lookup(reference: str) -> bytes:
    """
    Return the hash by which a payer's payments are found, whatever their merchants.

    Rule: PAY-6 (docs/rules/payments.md).
    """
    return crypto.lookup_hash(_named(reference))


def seal(staged: Staged) -> None:
    """
    Put hash and mask of each staged row's `payer_ref` into TABLE, which ends with the transaction.

    The key never passes through SQL, where logs and other sessions would see it; so the references
    are read, and hashed here. Memory stays bounded; a file without references costs one scan.

    Rule: PAY-6 (docs/rules/payments.md), docs/decisions/0011-payer-references.md.
    """
    sql.execute(
        f"DROP TABLE IF EXISTS {TABLE}; CREATE TEMPORARY TABLE intake_payer ("
        "row_no bigint NOT NULL, payer_hash bytea NOT NULL, payer_masked text NOT NULL)"
        " ON COMMIT DROP"
    )
    hashed = crypto.lookup_hasher()
    with connection.chunked_cursor() as named, connection.cursor() as writing:
        named.execute(f"SELECT row_no, payer_ref FROM {staged.table} WHERE payer_ref <> ''")
        while rows := named.fetchmany(_BATCH):
            with writing.copy(f"COPY {TABLE} FROM STDIN") as copy:
                for row_no, reference in rows:
                    copy.write_row((row_no, hashed(_named(reference)), crypto.mask(reference)))
    sql.execute(f"ANALYZE {TABLE}")


def _named(reference: str) -> str:
    """Keep payers apart from account numbers, which are hashed with the same key."""
    return f"payer:{reference}"
