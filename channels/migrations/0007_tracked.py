from django.db import migrations

from foundation import guards


class Migration(migrations.Migration):

    dependencies = [
        ('channels', '0006_forget_plain_payers'),
        ('foundation', '0016_history_origin'),
    ]

    operations = [
        guards.track("channels_product"),
        guards.track("channels_channel"),
        guards.track("channels_fee_rule"),
    ]
