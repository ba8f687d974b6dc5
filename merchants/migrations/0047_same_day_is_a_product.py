"""A schedule of the same day is asked for as a product, whose gate then counts."""

from django.db import migrations

from foundation.sql import migrate_file


class Migration(migrations.Migration):
    dependencies = [("merchants", "0046_mailbox_indexes")]

    operations = [migrate_file("merchants", "application")]
