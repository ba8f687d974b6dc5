"""Agents with their chain, and by whom each merchant came, kept as history."""

import django.db.models.deletion
from django.db import migrations, models

from foundation import guards, sql

UNDO = """
DROP TRIGGER merchant_agent_moves ON public.merchants_merchant;
DROP TRIGGER merchant_brought ON public.merchants_merchant;
DROP TRIGGER agent_approved ON public.merchants_merchant_agent;
DROP TRIGGER step_taken ON public.merchants_agent_step;
DROP TRIGGER step_approved ON public.merchants_agent_step;
DROP TRIGGER chain_moves ON public.merchants_agent;
DROP TRIGGER chain_begins ON public.merchants_agent;
DROP TRIGGER agent_moves ON public.merchants_agent;
DROP TRIGGER agent_begins ON public.merchants_agent;
DROP FUNCTION public.merchants_agent_chain_at(bigint, timestamptz);
DROP FUNCTION public.merchants_agent_at(bigint, timestamptz);
DROP FUNCTION public.merchants_merchant_agent_is_last();
DROP FUNCTION public.merchants_merchant_agent_guard();
DROP FUNCTION public.merchants_merchant_brought();
DROP FUNCTION public.merchants_agents_bring(bigint[]);
DROP FUNCTION public.merchants_agent_step_taken();
DROP FUNCTION public.merchants_agent_step_guard();
DROP FUNCTION public.merchants_agent_chain_guard();
DROP FUNCTION public.merchants_agent_guard();
DROP FUNCTION public.merchants_agent_content(text, jsonb);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('merchants', '0035_document_part_guards'),
    ]

    operations = [
        migrations.CreateModel(
            name='AgentStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, verbose_name="agent's name")),
                ('kind', models.CharField(choices=[('AGENT', 'agent'), ('ISV', 'service provider')], default='AGENT', max_length=5, verbose_name='kind')),
                ('contact_name', models.CharField(blank=True, max_length=100, verbose_name="contact's name")),
                ('contact_email', models.EmailField(blank=True, max_length=200, verbose_name='e-mail')),
                ('contract_from', models.DateField(null=True, verbose_name='contract from')),
                ('contract_until', models.DateField(null=True, verbose_name='contract until')),
                ('state', models.CharField(choices=[('ACTIVE', 'active'), ('STOPPED', 'stopped')], default='ACTIVE', max_length=7, verbose_name='state')),
                ('sequence', models.PositiveIntegerField(verbose_name='sequence')),
                ('from_at', models.DateTimeField(verbose_name='from')),
                ('approval_book', models.BigIntegerField(null=True)),
                ('approval_id', models.BigIntegerField(null=True)),
                ('actor', models.CharField(max_length=100, verbose_name='actor')),
                ('request_id', models.CharField(max_length=64, verbose_name='request id')),
            ],
            options={
                'verbose_name': 'step of an agent',
                'verbose_name_plural': 'steps of agents',
                'db_table': 'merchants_agent_step',
                'constraints': [
                    models.CheckConstraint(condition=models.Q(models.Q(('approval_book', None), ('approval_id', None), ('sequence', 1)), models.Q(('approval_book__isnull', False), ('approval_id__isnull', False)), _connector='OR'), name='agent_step_approval_whole'),
                ],
            },
        ),
        migrations.CreateModel(
            name='MerchantAgent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sequence', models.PositiveIntegerField(verbose_name='sequence')),
                ('from_at', models.DateTimeField(verbose_name='from')),
                ('approval_book', models.BigIntegerField(null=True)),
                ('approval_id', models.BigIntegerField(null=True)),
                ('actor', models.CharField(max_length=100, verbose_name='actor')),
                ('request_id', models.CharField(max_length=64, verbose_name='request id')),
            ],
            options={
                'verbose_name': 'agent of a merchant',
                'verbose_name_plural': 'agents of merchants',
                'db_table': 'merchants_merchant_agent',
            },
        ),
        migrations.CreateModel(
            name='Agent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, verbose_name="agent's name")),
                ('kind', models.CharField(choices=[('AGENT', 'agent'), ('ISV', 'service provider')], default='AGENT', max_length=5, verbose_name='kind')),
                ('contact_name', models.CharField(blank=True, max_length=100, verbose_name="contact's name")),
                ('contact_email', models.EmailField(blank=True, max_length=200, verbose_name='e-mail')),
                ('contract_from', models.DateField(null=True, verbose_name='contract from')),
                ('contract_until', models.DateField(null=True, verbose_name='contract until')),
                ('state', models.CharField(choices=[('ACTIVE', 'active'), ('STOPPED', 'stopped')], default='ACTIVE', max_length=7, verbose_name='state')),
                ('number', models.CharField(max_length=64, unique=True, verbose_name='agent number')),
                ('steps', models.PositiveIntegerField(default=1, verbose_name='steps')),
                ('created_at', models.DateTimeField(verbose_name='created at')),
                ('parent', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='merchants.agent', verbose_name='works for')),
            ],
            options={
                'verbose_name': 'agent',
                'verbose_name_plural': 'agents',
                'db_table': 'merchants_agent',
                'permissions': [('propose_agent', 'Can propose agents and whom merchants came by'), ('approve_agent', 'Can decide on agents and whom merchants came by'), ('import_agent', 'Can import agents'), ('export_agent', 'Can export agents')],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('number__regex', '^[A-Za-z0-9][A-Za-z0-9._-]*$')), name='agent_numbered'),
                    models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='agent_named'),
                    models.CheckConstraint(condition=models.Q(('kind__in', ['AGENT', 'ISV'])), name='agent_kind_known'),
                    models.CheckConstraint(condition=models.Q(('state__in', ['ACTIVE', 'STOPPED'])), name='agent_state_known'),
                    models.CheckConstraint(condition=models.Q(('contract_from', None), ('contract_until', None), ('contract_until__gte', models.F('contract_from')), _connector='OR'), name='agent_contract_in_order'),
                    models.CheckConstraint(condition=models.Q(('parent', None), models.Q(('parent', models.F('id')), _negated=True), _connector='OR'), name='agent_not_its_own_parent'),
                ],
            },
        ),
        migrations.AddField(
            model_name='merchant',
            name='agent',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='brought', to='merchants.agent', verbose_name='agent'),
        ),
        migrations.AddConstraint(
            model_name='merchant',
            constraint=models.CheckConstraint(condition=models.Q(('kind', 'MERCHANT'), ('agent', None), _connector='OR'), name='merchant_house_has_no_agent'),
        ),
        migrations.AddField(
            model_name='agentstep',
            name='agent',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.agent'),
        ),
        migrations.AddField(
            model_name='agentstep',
            name='parent',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.agent', verbose_name='works for'),
        ),
        migrations.AddField(
            model_name='merchantagent',
            name='agent',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.agent', verbose_name='agent'),
        ),
        migrations.AddField(
            model_name='merchantagent',
            name='merchant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant', verbose_name='merchant'),
        ),
        migrations.AddConstraint(
            model_name='agentstep',
            constraint=models.UniqueConstraint(fields=('agent', 'sequence'), name='agent_step_sequence'),
        ),
        migrations.AddConstraint(
            model_name='merchantagent',
            constraint=models.UniqueConstraint(fields=('merchant', 'sequence'), name='merchant_agent_sequence'),
        ),
        migrations.AddConstraint(
            model_name='merchantagent',
            constraint=models.UniqueConstraint(fields=('merchant', 'approval_book', 'approval_id'), name='merchant_agent_once'),
        ),
        migrations.AddConstraint(
            model_name='merchantagent',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('agent__isnull', False), ('approval_book', None), ('approval_id', None), ('sequence', 1)), models.Q(('approval_book__isnull', False), ('approval_id__isnull', False)), _connector='OR'), name='merchant_agent_approval_whole'),
        ),
        guards.never_deleted("merchants_agent"),
        guards.track("merchants_agent"),
        guards.append_only("merchants_agent_step"),
        guards.append_only("merchants_merchant_agent"),
        sql.migrate_file("merchants", "agent", UNDO),
    ]
