"""An approval commits only with the papers that its application says."""

from django.db import migrations

from foundation.sql import migrate_file

UNDO = """
DROP TRIGGER watches_papers ON public.merchants_application;
DROP FUNCTION public.merchants_papers_taken_up();
"""


class Migration(migrations.Migration):
    dependencies = [("merchants", "0043_link_traces")]

    operations = [migrate_file("merchants", "paper_left_out", UNDO)]
