"""The table through which an import tells listeners what it stored."""

from __future__ import annotations

from django.db import migrations

from foundation import sql


class Migration(migrations.Migration):
    dependencies = [("merchants", "0003_declared_schedule")]

    operations = [
        sql.migrate_file(
            "merchants", "intake_merchant", "DROP TABLE public.merchants_intake_merchant"
        )
    ]
