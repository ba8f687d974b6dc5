from django.db import migrations

from foundation import guards


class Migration(migrations.Migration):

    dependencies = [
        ('settlement', '0006_release_due'),
        ('foundation', '0016_history_origin'),
    ]

    operations = [
        guards.track("settlement_payout_fee_rule"),
        guards.track("settlement_payout_status"),
        guards.track("settlement_standing_instruction"),
    ]
