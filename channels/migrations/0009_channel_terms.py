"""For what a channel registers merchants, and who answers for what (S0-09)."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('channels', '0008_intake_day'),
    ]

    operations = [
        migrations.AddField(
            model_name='channel',
            name='loss_borne_by',
            field=models.CharField(blank=True, choices=[('HOUSE', 'we'), ('CHANNEL', 'the channel'), ('PARTNER', 'the partner'), ('MERCHANT', 'the merchant')], db_default='', max_length=8, verbose_name='who bears losses'),
        ),
        migrations.AddField(
            model_name='channel',
            name='registers',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), blank=True, db_default=[], size=None, verbose_name='registers for'),
        ),
        migrations.AddField(
            model_name='channel',
            name='reviewed_by_whom',
            field=models.CharField(blank=True, choices=[('HOUSE', 'we'), ('CHANNEL', 'the channel'), ('PARTNER', 'the partner'), ('MERCHANT', 'the merchant')], db_default='', max_length=8, verbose_name='who reviews'),
        ),
        migrations.AddField(
            model_name='channel',
            name='settled_by_whom',
            field=models.CharField(blank=True, choices=[('HOUSE', 'we'), ('CHANNEL', 'the channel'), ('PARTNER', 'the partner'), ('MERCHANT', 'the merchant')], db_default='', max_length=8, verbose_name='who settles'),
        ),
        migrations.AddConstraint(
            model_name='channel',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('loss_borne_by', ''), ('registers', []), ('reviewed_by_whom', ''), ('settled_by_whom', '')), models.Q(('reviewed_by_whom', ''), ('settled_by_whom', ''), ('loss_borne_by', ''), _connector='OR', _negated=True), _connector='OR'), name='channel_terms_whole'),
        ),
    ]
