"""Who acts or acted for a merchant is not the one of our staff who calls it back."""

from django.db import migrations

from foundation import sql


class Migration(migrations.Migration):
    dependencies = [("merchants", "0028_merchant_contact")]

    operations = [sql.migrate_file("merchants", "confirmation")]
