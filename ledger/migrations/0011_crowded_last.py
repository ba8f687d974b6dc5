"""Accounts made from now on have ids by which those that most entries share are locked last."""

from django.db import migrations

from foundation.sql import migrate_file


class Migration(migrations.Migration):
    dependencies = [("ledger", "0010_stamps_and_plain_entries")]

    operations = [migrate_file("ledger", "post"), migrate_file("ledger", "grants")]
