"""The stamp's trigger is called for forged values alone; an entry of two postings needs no array."""

from django.db import migrations

from foundation.sql import migrate_file


class Migration(migrations.Migration):
    dependencies = [("ledger", "0009_plain_columns")]

    operations = [migrate_file("ledger", "triggers"), migrate_file("ledger", "post")]
