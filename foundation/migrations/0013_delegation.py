import django.db.models.deletion
import django.db.models.functions.comparison
from django.conf import settings
from django.db import migrations, models

from foundation import guards, sql


class Migration(migrations.Migration):

    dependencies = [
        ('foundation', '0012_mfa_reset_rights'),
        ('merchants', '0002_house'),
    ]

    operations = [
        migrations.CreateModel(
            name='Delegation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('permission', models.CharField(max_length=150, verbose_name='right')),
                ('starts_at', models.DateTimeField(verbose_name='from')),
                ('ends_at', models.DateTimeField(verbose_name='until')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended early at')),
                ('reason', models.TextField(verbose_name='reason')),
                ('approval_id', models.BigIntegerField(unique=True, verbose_name='approval')),
                ('created_at', models.DateTimeField(verbose_name='created at')),
            ],
            options={
                'verbose_name': 'delegation',
                'verbose_name_plural': 'delegations',
                'db_table': 'foundation_delegation',
                'permissions': [('approve_delegation', 'Can approve delegations')],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='delegation_has_a_span'),
                ],
            },
        ),
        migrations.AddField(
            model_name='approval',
            name='permission',
            field=models.CharField(blank=True, max_length=150, verbose_name='right of the checker'),
        ),
        migrations.AddField(
            model_name='approvaldecision',
            name='delegator_person',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='foundation.person'),
        ),
        migrations.AddField(
            model_name='delegation',
            name='delegate',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='delegate'),
        ),
        migrations.AddField(
            model_name='delegation',
            name='delegate_person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='foundation.person'),
        ),
        migrations.AddField(
            model_name='delegation',
            name='delegator',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='delegator'),
        ),
        migrations.AddField(
            model_name='delegation',
            name='delegator_person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='foundation.person'),
        ),
        migrations.AddField(
            model_name='approvaldecision',
            name='delegation',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='foundation.delegation', verbose_name='delegation'),
        ),
        migrations.AddField(
            model_name='approvaldecision',
            name='authority_person',
            field=models.GeneratedField(db_persist=True, expression=django.db.models.functions.comparison.Coalesce('delegator_person', 'checker_person'), output_field=models.UUIDField()),
        ),
        migrations.AddConstraint(
            model_name='approvaldecision',
            constraint=models.UniqueConstraint(fields=('merchant', 'approval', 'authority_person'), name='approval_right_speaks_once'),
        ),
        migrations.AddConstraint(
            model_name='approvaldecision',
            constraint=models.CheckConstraint(condition=models.Q(('delegator_person', None), models.Q(('maker_person', models.F('delegator_person')), _negated=True), _connector='OR'), name='approval_not_for_its_maker'),
        ),
        migrations.AddConstraint(
            model_name='approvaldecision',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('delegation', None), ('delegator_person', None)), models.Q(('delegation__isnull', False), ('delegator_person__isnull', False)), _connector='OR'), name='approval_delegated_by_somebody'),
        ),
        migrations.AddIndex(
            model_name='delegation',
            index=models.Index(fields=['delegate', 'permission'], name='delegation_to'),
        ),
        migrations.AddConstraint(
            model_name='delegation',
            constraint=models.CheckConstraint(condition=models.Q(('delegator_person', models.F('delegate_person')), _negated=True), name='delegation_two_persons'),
        ),
        migrations.AddConstraint(
            model_name='delegation',
            constraint=models.UniqueConstraint(fields=('id', 'delegate', 'delegator_person'), name='delegation_lends'),
        ),
        migrations.RunSQL(
            """ALTER TABLE public.foundation_delegation
              ADD CONSTRAINT delegation_delegator_is_person
                FOREIGN KEY (delegator_id, delegator_person_id)
                REFERENCES public.foundation_user (id, person_id),
              ADD CONSTRAINT delegation_delegate_is_person
                FOREIGN KEY (delegate_id, delegate_person_id)
                REFERENCES public.foundation_user (id, person_id);
            ALTER TABLE public.foundation_approval_decision
              ADD CONSTRAINT approval_delegated_to_checker
                FOREIGN KEY (delegation_id, checker_id, delegator_person_id)
                REFERENCES public.foundation_delegation (id, delegate_id, delegator_person_id)""",
            """ALTER TABLE public.foundation_approval_decision
              DROP CONSTRAINT approval_delegated_to_checker;
            ALTER TABLE public.foundation_delegation
              DROP CONSTRAINT delegation_delegator_is_person,
              DROP CONSTRAINT delegation_delegate_is_person""",
        ),
        sql.migrate_file(
            "foundation",
            "delegation",
            """DROP TRIGGER delegation_guard ON public.foundation_delegation;
            DROP FUNCTION public.foundation_delegation_guard()""",
        ),
        guards.track("foundation_delegation"),
        sql.migrate_file(
            "foundation",
            "user",
            """DROP TRIGGER user_keeps_person ON public.foundation_user;
            DROP FUNCTION public.foundation_user_keeps_person()""",
        ),
    ]
