"""Accounts have no trigger before UPDATE: each would lock the row once more."""

from django.db import migrations

from foundation.sql import migrate_file


class Migration(migrations.Migration):
    dependencies = [("ledger", "0013_account_closing")]

    operations = [
        migrate_file("ledger", "post"),
        migrate_file("ledger", "bulk"),
        migrate_file("ledger", "account_closing"),
        migrate_file("ledger", "triggers"),
    ]
