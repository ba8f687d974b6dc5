"""The database knows the invited, the contacts and the merchants of lists as insiders, too."""

from django.db import migrations

from foundation.sql import migrate_file

UNDO = """
DROP TRIGGER reviewed_by_outsider ON public.merchants_application;
DROP TRIGGER decision_by_outsider ON public.foundation_approval_decision;
DROP FUNCTION public.merchants_application_reviewed_by_outsider();
DROP FUNCTION public.merchants_decision_by_outsider();
DROP FUNCTION public.merchants_application_is_theirs(public.merchants_application, uuid[]);
DROP FUNCTION public.merchants_insiders(uuid[], bigint[]);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0049_capability"),
        ("foundation", "0036_approval_stamps"),
    ]

    operations = [migrate_file("merchants", "outsider", UNDO)]
