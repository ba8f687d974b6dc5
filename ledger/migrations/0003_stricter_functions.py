"""Reversals, orphaned lines and doubled holds are refused by name: the functions loaded again."""

from django.db import migrations

from foundation.sql import migrate_file


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_guards")]

    operations = [migrate_file("ledger", "post"), migrate_file("ledger", "bulk")]
