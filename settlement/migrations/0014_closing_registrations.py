"""A merchant that a channel believes to be ours is not closed for good."""

from django.db import migrations

from foundation import sql


class Migration(migrations.Migration):
    dependencies = [
        ("settlement", "0013_capability"),
        ("channels", "0013_registration_end_guards"),
    ]

    operations = [sql.migrate_file("settlement", "closing_reasons")]
