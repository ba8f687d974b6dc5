"""Who proposes is somebody the house knows in the book he proposes in."""

from django.db import migrations

from foundation.sql import migrate_file

UNDO = """
DROP TRIGGER proposal_maker ON public.foundation_approval;
DROP FUNCTION public.merchants_proposal_maker();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0047_same_day_is_a_product"),
        ("foundation", "0030_approval_right"),
    ]

    operations = [migrate_file("merchants", "proposal", UNDO)]
