"""What was found when somebody signed in stays."""

from __future__ import annotations

from django.db import migrations

from foundation import guards, sql

UNDO = """
DROP TRIGGER sign_in_guard ON public.foundation_sign_in;
DROP FUNCTION public.foundation_sign_in_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("foundation", "0010_sign_in")]

    operations = [
        sql.migrate_file("foundation", "sign_in", UNDO),
        guards.never_deleted("foundation_sign_in"),
    ]
