"""A merchant from which an act was taken does not do it by SQL either."""

from __future__ import annotations

from django.db import migrations

from foundation import sql

UNDO = """
DROP TRIGGER schedule_capability ON public.settlement_schedule;
DROP FUNCTION public.settlement_schedule_capability();
"""


class Migration(migrations.Migration):
    dependencies = [("settlement", "0012_closing_reasons"), ("merchants", "0049_capability")]

    operations = [
        sql.migrate_file("settlement", "schedule_capability", UNDO),
        sql.migrate_file("settlement", "withdrawal_authority"),
    ]
