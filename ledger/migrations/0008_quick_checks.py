"""The check of a plain entry, the usual one, needs no groups and no order."""

from django.db import migrations

from foundation.sql import migrate_file


class Migration(migrations.Migration):
    dependencies = [("ledger", "0007_faults_by_name")]

    operations = [migrate_file("ledger", "checks")]
