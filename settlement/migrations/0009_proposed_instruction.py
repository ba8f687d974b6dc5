"""A standing instruction that was proposed comes in force by its checker alone."""

from django.db import migrations

from foundation import sql


class Migration(migrations.Migration):
    dependencies = [("settlement", "0008_cooling")]

    operations = [sql.migrate_file("settlement", "withdrawal_authority")]
