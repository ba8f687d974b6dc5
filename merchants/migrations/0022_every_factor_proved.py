"""A token needs a right proof of every factor; none is left to be given later."""

from __future__ import annotations

from django.db import migrations

from foundation import sql


class Migration(migrations.Migration):
    dependencies = [("merchants", "0021_verification_reset")]

    operations = [sql.migrate_file("merchants", "verification")]
