"""The functions as their files lay them out now: `verify` compares them letter by letter (I4)."""

from django.db import migrations

from foundation.sql import migrate_file


class Migration(migrations.Migration):
    dependencies = [("ledger", "0008_quick_checks")]

    operations = [migrate_file("ledger", "post"), migrate_file("ledger", "bulk")]
