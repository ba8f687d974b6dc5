"""A merchant's first agent is its own row's, not whatever another trigger writes."""

from django.db import migrations

from foundation.sql import migrate_file


class Migration(migrations.Migration):
    dependencies = [("merchants", "0039_application_change_guards")]

    operations = [migrate_file("merchants", "agent")]
