"""A standing instruction that was proposed comes in force by its checker alone."""

from django.db import migrations

from foundation import sql


class Migration(migrations.Migration):
    dependencies = [("settlement", "0009_merchant_in_order")]

    operations = [sql.migrate_file("settlement", "withdrawal_authority")]
