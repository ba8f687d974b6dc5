"""Seal the references that are stored already: payments are append-only, so their guard rests."""

from django.db import migrations

from channels.services import payer
from foundation import crypto

BATCH = 10_000


def seal(apps, schema_editor):
    """Hash and mask every stored reference, in batches by id."""
    Payment = apps.get_model("channels", "Payment")
    stored = Payment.objects.using(schema_editor.connection.alias).exclude(payer_ref="")
    if not stored.exists():
        return
    schema_editor.execute("ALTER TABLE channels_payment DISABLE TRIGGER refuse_change")
    last = 0
    while batch := list(stored.filter(id__gt=last).order_by("id")[:BATCH]):
        for payment in batch:
            payment.payer_hash = payer.lookup(payment.payer_ref)
            payment.payer_masked = crypto.mask(payment.payer_ref)
        with schema_editor.connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE channels_payment SET payer_hash = %s, payer_masked = %s"
                " WHERE id = %s AND merchant_id = %s",
                [(p.payer_hash, p.payer_masked, p.id, p.merchant_id) for p in batch],
            )
        last = batch[-1].id
    schema_editor.execute("ALTER TABLE channels_payment ENABLE TRIGGER refuse_change")


class Migration(migrations.Migration):
    dependencies = [("channels", "0004_sealed_payers")]

    operations = [migrations.RunPython(seal, migrations.RunPython.noop)]
