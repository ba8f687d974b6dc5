"""Who acted for a merchant cannot be made somebody else."""

from django.db import migrations

from foundation.sql import migrate_file

UNDO = """
DROP TRIGGER membership_keeps_user ON public.merchants_membership;
DROP FUNCTION public.merchants_membership_keeps_user();
"""


class Migration(migrations.Migration):
    dependencies = [("merchants", "0040_agent_first_line")]

    operations = [migrate_file("merchants", "membership", UNDO)]
