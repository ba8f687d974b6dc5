"""Lists that go out at once stand in the same log as those that a worker writes."""

from __future__ import annotations

from django.db import migrations, models

from foundation import sql


class Migration(migrations.Migration):
    dependencies = [("foundation", "0024_key_proof")]

    operations = [
        migrations.AlterField(
            "fileexport",
            "state",
            models.CharField(
                choices=[
                    ("REQUESTED", "being written"),
                    ("READY", "ready to download"),
                    ("FAILED", "failed"),
                    ("DELETED", "deleted"),
                    ("SENT", "sent at once"),
                ],
                default="REQUESTED",
                max_length=9,
                verbose_name="state",
            ),
        ),
        sql.migrate_file("foundation", "file_export"),
    ]
