from django.db import migrations

from foundation import sql


class Migration(migrations.Migration):

    dependencies = [
        ('foundation', '0006_audit'),
    ]

    operations = [
        sql.migrate_file(
            "foundation", "guards", "DROP FUNCTION public.foundation_keep_merchant() CASCADE"
        ),
    ]
