"""For which merchants a partner's key may act, with its guard and its history."""

import django.db.models.deletion
import foundation.models.fact
from django.db import migrations, models
from foundation import guards, sql


UNDO = """
DROP TRIGGER refuse_delete ON public.merchants_partner_grant;
DROP TRIGGER partner_grant_guard ON public.merchants_partner_grant;
DROP FUNCTION public.merchants_partner_grant_guard();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('merchants', '0008_merchants_stay'),
    ]

    operations = [
        migrations.CreateModel(
            name='PartnerGrant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('active', models.BooleanField(default=True, verbose_name='active')),
                ('created_at', models.DateTimeField(verbose_name='created at')),
                ('acts_for', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant', verbose_name='acts for')),
                ('key', foundation.models.fact.FactForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='grants', to='merchants.apikey', verbose_name='API key')),
                ('merchant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant', verbose_name='merchant')),
            ],
            options={
                'verbose_name': "partner's merchant",
                'verbose_name_plural': "partners' merchants",
                'db_table': 'merchants_partner_grant',
                'constraints': [models.UniqueConstraint(fields=('merchant', 'key', 'acts_for'), name='partner_grant_once')],
            },
        ),
        guards.track("merchants_partner_grant"),
        sql.migrate_file("merchants", "partner_grant", UNDO),
    ]
