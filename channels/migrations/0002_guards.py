"""Facts are appended, reference rows stay, and refunds never exceed their payment."""

from django.db import migrations

from foundation import guards
from foundation.sql import migrate_file


class Migration(migrations.Migration):
    dependencies = [("channels", "0001_initial"), ("foundation", "0006_audit")]

    operations = [
        migrate_file("channels", "guards"),
        *(
            guards.append_only(table)
            for table in (
                "channels_payment",
                "channels_refund",
                "channels_pricing",
                "channels_refund_booking",
                "channels_fee_rule",
                "channels_intake",
            )
        ),
        *(
            guards.never_deleted(table)
            for table in ("channels_product", "channels_channel", "channels_chunk")
        ),
    ]
