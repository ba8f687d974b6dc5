"""What stands against closing is asked of many merchants at once, stored and unbooked facts too."""

from __future__ import annotations

from django.db import migrations

from foundation import sql

UNDO = "DROP FUNCTION public.settlement_closing_reasons(bigint[]);"


class Migration(migrations.Migration):
    dependencies = [("settlement", "0011_closing"), ("ledger", "0013_account_closing")]

    operations = [
        sql.migrate_file("settlement", "closing_reasons", UNDO),
        sql.migrate_file("settlement", "closing"),
    ]
