"""The accounts of a closed merchant are closed; what comes late opens them again."""

from django.db import migrations

from foundation import guards, sql
from ledger import chart

UNDO = """
DROP TRIGGER late_fact_reopens ON public.ledger_account;
DROP FUNCTION public.ledger_reopen_for_late_fact();
DROP FUNCTION public.ledger_close_accounts(bigint[], text, text);
DROP FUNCTION public.ledger_reopen_accounts(bigint[], text, text);
"""
# Merchants that were closed before accounts were: what is empty by now is closed as well.
BEFORE = """
WITH closed AS (
  UPDATE public.ledger_account a SET closed_at = clock_timestamp()
    FROM public.ledger_account_kind k, public.merchants_merchant m
   WHERE k.kind = a.kind AND k.ends_with_merchant AND m.id = a.merchant_id
     AND m.status = 'CLOSED' AND a.balance = 0 AND a.held = 0
  RETURNING a.merchant_id, a.id, a.closed_at
)
INSERT INTO public.ledger_account_step (merchant_id, account_id, step, at, actor, request_id)
SELECT merchant_id, id, 'CLOSED', closed_at, 'system:migrate', 'migrate' FROM closed
"""


def mark(apps, schema_editor):
    """Say which kinds end with a merchant."""
    kinds = apps.get_model("ledger", "AccountKind").objects.using(schema_editor.connection.alias)
    kinds.filter(kind__in=chart.ENDING).update(ends_with_merchant=True)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0012_account_step"), ("merchants", "0030_merchant_closing")]

    operations = [
        guards.append_only("ledger_account_step"),
        sql.migrate_file("ledger", "account_closing", UNDO),
        migrations.RunPython(mark, migrations.RunPython.noop),
        sql.migrate_file("ledger", "grants"),
        migrations.RunSQL(BEFORE, migrations.RunSQL.noop),
    ]
