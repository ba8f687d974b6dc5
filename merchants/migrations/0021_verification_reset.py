"""What must be proved to reset a forgotten payment password."""

from __future__ import annotations

from django.db import migrations

from foundation import sql

UNDO = """
ALTER TABLE public.merchants_verification_rule DISABLE TRIGGER refuse_delete;
DELETE FROM public.merchants_verification_rule WHERE operation = 'payment_password.reset';
ALTER TABLE public.merchants_verification_rule ENABLE TRIGGER refuse_delete;
"""


class Migration(migrations.Migration):
    dependencies = [("merchants", "0020_bank_account_request")]

    operations = [sql.migrate_file("merchants", "verification_reset", UNDO)]
