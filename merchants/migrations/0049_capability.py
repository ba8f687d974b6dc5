"""What a merchant may do, act by act."""

import django.db.models.deletion
import foundation.models.fact
from django.db import migrations, models

from foundation import guards, sql

UNDO = """
DROP TRIGGER capability_token_guard ON public.merchants_verification_token;
DROP FUNCTION public.merchants_capability_token_guard();
DROP TRIGGER capability_step_guard ON public.merchants_capability_step;
DROP FUNCTION public.merchants_capability_step_guard();
DROP FUNCTION public.merchants_capability_of(text);
DROP FUNCTION public.merchants_capability_taken(bigint, text);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('foundation', '0035_names_of_pieces'),
        ('merchants', '0048_proposal_maker'),
    ]

    operations = [
        migrations.CreateModel(
            name='CapabilityStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('capability', models.CharField(choices=[('withdraw', 'withdraw'), ('automatic', 'be paid out by a standing instruction'), ('same_day', 'be settled the same day (T0, D0)'), ('bank_accounts', 'add and change bank accounts'), ('people', 'change who acts for it'), ('programs', 'let its programs call the API')], max_length=13, verbose_name='what it may do')),
                ('sequence', models.PositiveIntegerField(verbose_name='sequence')),
                ('allowed', models.BooleanField(verbose_name='allowed')),
                ('reason', models.CharField(max_length=500, verbose_name='reason')),
                ('at', models.DateTimeField(verbose_name='at')),
                ('actor', models.CharField(max_length=100, verbose_name='actor')),
                ('request_id', models.CharField(max_length=64, verbose_name='request id')),
                ('approval', foundation.models.fact.FactForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', db_index=False, to='foundation.approval', verbose_name='proposal')),
                ('merchant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant', verbose_name='merchant')),
            ],
            options={
                'verbose_name': 'capability of a merchant',
                'verbose_name_plural': 'capabilities of merchants',
                'db_table': 'merchants_capability_step',
                'constraints': [models.UniqueConstraint(fields=('merchant', 'capability', 'sequence'), name='capability_step_sequence'), models.UniqueConstraint(fields=('merchant', 'approval', 'capability'), name='capability_step_once'), models.CheckConstraint(condition=models.Q(('capability__in', ['withdraw', 'automatic', 'same_day', 'bank_accounts', 'people', 'programs'])), name='capability_known')],
            },
        ),
        guards.append_only("merchants_capability_step"),
        sql.migrate_file("merchants", "capability", UNDO),
    ]
