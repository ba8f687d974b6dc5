"""A bank account is what its checker was shown, and what the latest proposal about it says."""

from django.db import migrations

from foundation import sql

UNDO = """
DROP TRIGGER bank_account_agreed ON public.merchants_bank_account;
DROP FUNCTION public.merchants_bank_account_agreed();
"""


class Migration(migrations.Migration):
    dependencies = [("merchants", "0024_outsiders_decide")]

    operations = [sql.migrate_file("merchants", "bank_account", UNDO)]
