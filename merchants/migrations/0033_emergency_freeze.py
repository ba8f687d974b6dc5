"""One person freezes at once; another confirms it or takes it back."""

from django.db import migrations, models

from foundation import sql

UNDO = """
DROP TRIGGER emergency_bounded ON public.merchants_merchant_transition;
DROP TRIGGER emergency_stays ON public.foundation_approval;
DROP FUNCTION public.merchants_emergency_bounded();
DROP FUNCTION public.merchants_emergency_stays();
DROP FUNCTION public.merchants_emergency_used(uuid, timestamptz);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('merchants', '0032_paper'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='merchant',
            options={'permissions': [('propose_merchantstate', 'Can propose to freeze, restrict and restore merchants'), ('approve_merchantstate', 'Can decide to freeze, restrict and restore merchants'), ('freeze_at_once', 'Can freeze merchants at once, before another person decides'), ('import_merchant', 'Can import merchants'), ('export_merchant', 'Can export merchants'), ('approve_merchantimport', 'Can approve imports of merchants')], 'verbose_name': 'merchant', 'verbose_name_plural': 'merchants'},
        ),
        migrations.RemoveConstraint(
            model_name='merchanttransition',
            name='merchant_step_once',
        ),
        migrations.AddConstraint(
            model_name='merchanttransition',
            constraint=models.UniqueConstraint(fields=('merchant', 'approval_book', 'approval_id', 'to_status'), name='merchant_step_once'),
        ),
        sql.migrate_file("merchants", "merchant_state"),
        sql.migrate_file("merchants", "merchant_emergency", UNDO),
    ]
