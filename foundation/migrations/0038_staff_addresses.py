"""A colleague's address is fixed as his name is, and what was migrated is the owner's to write."""

from django.db import migrations

from foundation import guards, sql


class Migration(migrations.Migration):
    dependencies = [("foundation", "0037_session_hash")]

    operations = [
        sql.migrate_file("foundation", "staff_account"),
        guards.only_read("django_migrations"),
    ]
