import django.db.models.deletion
import foundation.models.fact
from django.db import migrations, models

from foundation import guards, sql


class Migration(migrations.Migration):

    dependencies = [
        ('foundation', '0013_delegation'),
        ('merchants', '0002_house'),
    ]

    operations = [
        migrations.CreateModel(
            name='ApprovalAttachment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField(verbose_name='position')),
                ('name', models.CharField(max_length=100, verbose_name='file name')),
                ('media_type', models.CharField(max_length=50, verbose_name='media type')),
                ('content', models.BinaryField(verbose_name='content')),
                ('actor', models.CharField(max_length=100, verbose_name='actor')),
                ('request_id', models.CharField(max_length=64, verbose_name='request id')),
            ],
            options={
                'verbose_name': 'attachment',
                'verbose_name_plural': 'attachments',
                'db_table': 'foundation_approval_attachment',
            },
        ),
        migrations.AddField(
            model_name='approval',
            name='attachments',
            field=models.JSONField(default=list, verbose_name='attachments'),
        ),
        migrations.AddField(
            model_name='approvalattachment',
            name='approval',
            field=foundation.models.fact.FactForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='papers', to='foundation.approval'),
        ),
        migrations.AddField(
            model_name='approvalattachment',
            name='merchant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant', verbose_name='merchant'),
        ),
        migrations.AddConstraint(
            model_name='approvalattachment',
            constraint=models.UniqueConstraint(fields=('merchant', 'approval', 'position'), name='approval_attachment_once'),
        ),
        guards.append_only("foundation_approval_attachment"),
        sql.migrate_file(
            "foundation",
            "approval_attachment",
            """DROP TRIGGER approval_attachment_guard ON public.foundation_approval_attachment;
            DROP FUNCTION public.foundation_approval_attachment_guard()""",
        ),
        sql.migrate_file("foundation", "approval_guard"),
    ]
