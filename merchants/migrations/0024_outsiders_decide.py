"""Who acts for a merchant decides on nothing in its book."""

from django.db import migrations

from foundation import sql

UNDO = """
DROP TRIGGER IF EXISTS decision_by_outsider ON public.foundation_approval_decision;
DROP FUNCTION IF EXISTS public.merchants_decision_by_outsider();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0023_merchant_state"),
        ("foundation", "0017_outbox_failing"),
    ]

    operations = [sql.migrate_file("merchants", "membership", UNDO)]
