"""A new merchant comes by the agent that its application says."""

from django.db import migrations

from foundation.sql import migrate_file


class Migration(migrations.Migration):
    dependencies = [("merchants", "0041_membership_keeps_user")]

    operations = [migrate_file("merchants", "application_change")]
