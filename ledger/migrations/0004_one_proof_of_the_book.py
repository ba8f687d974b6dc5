"""The book of a posting is proved once, by its composite keys; functions plan once."""

import django.db.models.deletion
from django.db import migrations, models

import foundation.models.fact
from foundation.sql import migrate_file


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0003_stricter_functions'),
        ('merchants', '0007_names_of_names'),
    ]

    operations = [
        migrations.AlterField(
            model_name='journalentry',
            name='merchant',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant', verbose_name='merchant'),
        ),
        migrations.AlterField(
            model_name='journalentry',
            name='reverses',
            field=foundation.models.fact.FactForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reversed_by', to='ledger.journalentry', verbose_name='reverses'),
        ),
        migrations.AlterField(
            model_name='posting',
            name='merchant',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant', verbose_name='merchant'),
        ),
        migrations.AlterField(
            model_name='postingline',
            name='merchant',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant', verbose_name='merchant'),
        ),
        migrate_file("ledger", "checks"),
        migrate_file("ledger", "post"),
    ]
