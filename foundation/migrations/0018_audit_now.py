"""The database's clock says when an act was recorded."""

from django.db import migrations

from foundation import sql

UNDO = """
DROP TRIGGER audit_event_now ON public.foundation_audit_event;
DROP FUNCTION public.foundation_audit_event_now();
"""


class Migration(migrations.Migration):
    dependencies = [("foundation", "0017_outbox_failing")]

    operations = [sql.migrate_file("foundation", "audit", UNDO)]
