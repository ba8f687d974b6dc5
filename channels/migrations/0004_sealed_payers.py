"""Columns for a payer's mask and look-up hash, in place of the reference as it came."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("channels", "0003_keys_per_statement")]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="payer_hash",
            field=models.BinaryField(
                max_length=32, null=True, verbose_name="look-up hash of the payer"
            ),
        ),
        migrations.AddField(
            model_name="payment",
            name="payer_masked",
            field=models.CharField(blank=True, max_length=64, default="", verbose_name="payer reference"),
            preserve_default=False,
        ),
    ]
