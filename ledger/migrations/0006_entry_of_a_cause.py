"""Within a bulk call an entry is found by its cause, however wrong the planner's statistics are."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_order_of_two")]

    operations = [
        migrations.RunSQL(
            "DROP INDEX IF EXISTS public.intake_entry_by_call;"
            "CREATE UNIQUE INDEX IF NOT EXISTS intake_entry_by_cause ON public.ledger_intake_entry"
            " (call_id, merchant_id, source_kind, source_id)",
            migrations.RunSQL.noop,
        )
    ]
