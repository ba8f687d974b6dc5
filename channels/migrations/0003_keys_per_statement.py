"""The keys of payments and prices are proved once for each statement."""

import django.db.models.deletion
from django.db import migrations, models

import foundation.models.fact
from foundation import guards


class Migration(migrations.Migration):

    dependencies = [
        ('channels', '0002_guards'),
        ('merchants', '0008_merchants_stay'),
    ]

    operations = [
        migrations.AlterField(
            model_name='payment',
            name='merchant',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant', verbose_name='merchant'),
        ),
        migrations.AlterField(
            model_name='pricing',
            name='merchant',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='merchants.merchant', verbose_name='merchant'),
        ),
        migrations.AlterField(
            model_name='pricing',
            name='payment',
            field=foundation.models.fact.FactForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='pricings', to='channels.payment'),
        ),
        guards.refers(
            "channels_payment",
            {
                "merchant": ("t.id = n.merchant_id", "merchants_merchant"),
                "product": ("t.id = n.product_id", "channels_product"),
                "channel": ("t.id = n.channel_id", "channels_channel"),
                "intake": ("t.id = n.intake_id", "channels_intake"),
            },
        ),
        guards.refers(
            "channels_pricing",
            {
                "payment": (
                    "t.id = n.payment_id AND t.merchant_id = n.merchant_id",
                    "channels_payment",
                ),
                "fee_rule": ("t.id = n.fee_rule_id", "channels_fee_rule"),
                "chunk": ("t.id = n.chunk_id", "channels_chunk"),
            },
        ),
    ]
