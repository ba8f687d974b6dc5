"""Whether a channel promises "same number, same content, same order": the simulator does."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("settlement", "0003_payout_guards")]

    operations = [
        migrations.AddField(
            model_name="payoutchannel",
            name="resend_promised",
            field=models.BooleanField(
                db_default=False, default=False, verbose_name="same number, same order"
            ),
        ),
        migrations.RunSQL(
            "UPDATE public.settlement_payout_channel SET resend_promised = true"
            " WHERE code = 'simulator'",
            migrations.RunSQL.noop,
        ),
    ]
