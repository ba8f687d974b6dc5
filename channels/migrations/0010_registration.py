"""Registrations of merchants with channels (S0-08)."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import foundation.models.fact


class Migration(migrations.Migration):

    dependencies = [
        ('channels', '0009_channel_terms'),
        ('foundation', '0034_seal_attachments'),
        ('merchants', '0048_proposal_maker'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Registration',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempt_no', models.PositiveSmallIntegerField(verbose_name='attempt')),
                ('state', models.CharField(choices=[('REQUESTED', 'to be submitted'), ('SUBMITTED', 'waits for the channel'), ('APPROVED', 'approved by the channel'), ('REFUSED', 'refused by the channel')], default='REQUESTED', max_length=9, verbose_name='state')),
                ('sequence', models.PositiveIntegerField(default=1, verbose_name='steps')),
                ('moved_at', models.DateTimeField(verbose_name='last news')),
                ('application_id', models.BigIntegerField(null=True, verbose_name='application in force')),
                ('application_version', models.PositiveSmallIntegerField(verbose_name='version of the application')),
                ('evidence_sha256', models.CharField(blank=True, max_length=64, verbose_name='hash of its evidence')),
                ('reviewed_by_whom', models.CharField(choices=[('HOUSE', 'we'), ('CHANNEL', 'the channel'), ('PARTNER', 'the partner'), ('MERCHANT', 'the merchant')], max_length=8, verbose_name='who reviews')),
                ('settled_by_whom', models.CharField(choices=[('HOUSE', 'we'), ('CHANNEL', 'the channel'), ('PARTNER', 'the partner'), ('MERCHANT', 'the merchant')], max_length=8, verbose_name='who settles')),
                ('loss_borne_by', models.CharField(choices=[('HOUSE', 'we'), ('CHANNEL', 'the channel'), ('PARTNER', 'the partner'), ('MERCHANT', 'the merchant')], max_length=8, verbose_name='who bears losses')),
                ('requested_at', models.DateTimeField(verbose_name='asked for at')),
                ('submitted_at', models.DateTimeField(null=True, verbose_name='submitted at')),
                ('reference', models.CharField(blank=True, max_length=100, verbose_name="channel's reference")),
                ('answered_at', models.DateTimeField(null=True, verbose_name='answered at')),
                ('answer', models.CharField(blank=True, max_length=500, verbose_name="channel's text")),
                ('channel_merchant_no', models.CharField(blank=True, max_length=64, verbose_name="channel's merchant number")),
            ],
            options={
                'verbose_name': 'channel registration',
                'verbose_name_plural': 'channel registrations',
                'db_table': 'channels_registration',
            },
        ),
        migrations.CreateModel(
            name='RegistrationTransition',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sequence', models.PositiveIntegerField(verbose_name='step')),
                ('from_state', models.CharField(blank=True, choices=[('REQUESTED', 'to be submitted'), ('SUBMITTED', 'waits for the channel'), ('APPROVED', 'approved by the channel'), ('REFUSED', 'refused by the channel')], max_length=9, verbose_name='from')),
                ('to_state', models.CharField(choices=[('REQUESTED', 'to be submitted'), ('SUBMITTED', 'waits for the channel'), ('APPROVED', 'approved by the channel'), ('REFUSED', 'refused by the channel')], max_length=9, verbose_name='to')),
                ('text', models.CharField(blank=True, max_length=500, verbose_name="channel's text")),
                ('at', models.DateTimeField(verbose_name='when')),
                ('actor', models.CharField(max_length=100, verbose_name='actor')),
                ('request_id', models.CharField(max_length=64, verbose_name='request id')),
            ],
            options={
                'verbose_name': 'step of a registration',
                'verbose_name_plural': 'steps of registrations',
                'db_table': 'channels_registration_transition',
            },
        ),
        migrations.AddField(
            model_name='registration',
            name='channel',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='channels.channel', verbose_name='channel'),
        ),
        migrations.AddField(
            model_name='registration',
            name='merchant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant', verbose_name='merchant'),
        ),
        migrations.AddField(
            model_name='registration',
            name='product',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.productgate', verbose_name='kind of product'),
        ),
        migrations.AddField(
            model_name='registration',
            name='requested_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='asked for by'),
        ),
        migrations.AddField(
            model_name='registrationtransition',
            name='merchant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant', verbose_name='merchant'),
        ),
        migrations.AddField(
            model_name='registrationtransition',
            name='registration',
            field=foundation.models.fact.FactForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='transitions', to='channels.registration', verbose_name='channel registration'),
        ),
        migrations.AddField(
            model_name='registrationtransition',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='who'),
        ),
        migrations.AddIndex(
            model_name='registration',
            index=models.Index(fields=['merchant', 'id'], name='registration_of_merchant'),
        ),
        migrations.AddIndex(
            model_name='registration',
            index=models.Index(fields=['state', 'moved_at', 'id'], name='registration_waiting'),
        ),
        migrations.AddIndex(
            model_name='registration',
            index=models.Index(fields=['channel', 'id'], name='registration_of_channel'),
        ),
        migrations.AddIndex(
            model_name='registration',
            index=models.Index(condition=models.Q(('channel_merchant_no', ''), _negated=True), fields=['channel_merchant_no', 'channel'], name='registration_channel_number'),
        ),
        migrations.AddIndex(
            model_name='registration',
            index=models.Index(condition=models.Q(('reference', ''), _negated=True), fields=['reference'], name='registration_reference'),
        ),
        migrations.AddConstraint(
            model_name='registration',
            constraint=models.UniqueConstraint(fields=('merchant', 'channel', 'product', 'attempt_no'), name='registration_attempt'),
        ),
        migrations.AddConstraint(
            model_name='registration',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'REFUSED'), _negated=True), fields=('merchant', 'channel', 'product'), name='registration_one_live'),
        ),
        migrations.AddConstraint(
            model_name='registration',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('answer', ''), ('answered_at', None), ('channel_merchant_no', ''), ('reference', ''), ('state', 'REQUESTED'), ('submitted_at', None)), models.Q(models.Q(('reference', ''), _negated=True), ('submitted_at__isnull', False), models.Q(models.Q(('answer', ''), ('answered_at', None), ('channel_merchant_no', ''), ('state', 'SUBMITTED')), models.Q(('answered_at__isnull', False), ('state', 'APPROVED'), models.Q(('channel_merchant_no', ''), _negated=True)), models.Q(('answered_at__isnull', False), ('channel_merchant_no', ''), ('state', 'REFUSED'), models.Q(('answer', ''), _negated=True)), _connector='OR')), _connector='OR'), name='registration_says_what_its_state_asks'),
        ),
        migrations.AddConstraint(
            model_name='registration',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('application_id', None), ('application_version', 0), ('evidence_sha256', '')), models.Q(('application_id__isnull', False), ('application_version__gte', 1), models.Q(('evidence_sha256', ''), _negated=True)), _connector='OR'), name='registration_evidence_whole'),
        ),
        migrations.AddConstraint(
            model_name='registrationtransition',
            constraint=models.UniqueConstraint(fields=('merchant', 'registration', 'sequence', 'to_state'), name='registration_step_state'),
        ),
        migrations.AddConstraint(
            model_name='registrationtransition',
            constraint=models.UniqueConstraint(fields=('merchant', 'registration', 'sequence'), name='registration_step'),
        ),
    ]
