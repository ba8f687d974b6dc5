"""No account is deleted, so none comes back as another person's in the same transaction."""

from django.db import migrations

from foundation import sql


class Migration(migrations.Migration):
    dependencies = [("foundation", "0031_mailbox_indexes")]

    operations = [sql.migrate_file("foundation", "staff_account")]
