"""Refusals name the cause they are about; no entry happens outside of the calendar."""

from django.db import migrations

from foundation.sql import migrate_file

RANGE = "BETWEEN '1970-01-01 00:00+00' AND '2200-01-01 00:00+00'"
# a new database has them from guards.sql already
CHECKS = [
    ("ledger_entry", "entry_occurred_in_range", f"occurred_at {RANGE}"),
    ("ledger_hold", "hold_cause_not_empty", "source_kind <> '' AND source_id <> ''"),
    ("ledger_hold", "hold_expires_in_range", f"expires_at {RANGE}"),
]


class Migration(migrations.Migration):
    dependencies = [("ledger", "0006_entry_of_a_cause")]

    operations = [
        *(
            migrations.RunSQL(
                f"ALTER TABLE public.{table} DROP CONSTRAINT IF EXISTS {name},"
                f" ADD CONSTRAINT {name} CHECK ({condition})",
                migrations.RunSQL.noop,
            )
            for table, name, condition in CHECKS
        ),
        migrate_file("ledger", "checks"),
        migrate_file("ledger", "post"),
        migrate_file("ledger", "bulk"),
    ]
