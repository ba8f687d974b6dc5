"""A merchant that leaves is CLOSING until nothing is left of it, then CLOSED."""

from __future__ import annotations

from django.db import migrations

from foundation import sql


class Migration(migrations.Migration):
    dependencies = [("merchants", "0029_callers_are_outsiders")]

    operations = [sql.migrate_file("merchants", "merchant_state")]
