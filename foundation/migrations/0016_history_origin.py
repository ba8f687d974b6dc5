from django.db import migrations, models

from foundation import sql


class Migration(migrations.Migration):

    dependencies = [
        ('foundation', '0015_approval_policy'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            # The function's file brings its column with it, so that neither is there alone.
            database_operations=[sql.migrate_file("foundation", "history")],
            state_operations=[
                migrations.AddField(
                    model_name='history',
                    name='origin',
                    field=models.CharField(blank=True, db_default='', max_length=100, verbose_name='from where'),
                ),
            ],
        ),
    ]
