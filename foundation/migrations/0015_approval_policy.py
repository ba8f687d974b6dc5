from django.db import migrations, models

from foundation import guards, sql


class Migration(migrations.Migration):

    dependencies = [
        ('foundation', '0014_approval_attachment'),
        ('merchants', '0002_house'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='approvalpolicy',
            options={'permissions': [('approve_approvalpolicy', 'Can approve approval tiers')], 'verbose_name': 'approval tier', 'verbose_name_plural': 'approval tiers'},
        ),
        migrations.AddField(
            model_name='approvalpolicy',
            name='approval_id',
            field=models.BigIntegerField(null=True, verbose_name='approval'),
        ),
        migrations.AddIndex(
            model_name='approval',
            index=models.Index(fields=['action', '-proposed_at', '-id'], name='approval_by_action'),
        ),
        migrations.AddIndex(
            model_name='approval',
            index=models.Index(fields=['merchant', 'subject', '-id'], name='approval_by_subject'),
        ),
        sql.migrate_file(
            "foundation",
            "approval_policy",
            """DROP TRIGGER approval_policy_guard ON public.foundation_approval_policy;
            DROP FUNCTION public.foundation_approval_policy_guard()""",
        ),
    ]
