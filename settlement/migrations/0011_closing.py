"""A merchant that is being closed is still paid, and is closed once nothing is left of it."""

from __future__ import annotations

from django.db import migrations

from foundation import sql

UNDO = """
DROP TRIGGER merchant_nothing_left ON public.merchants_merchant;
DROP FUNCTION public.settlement_closing_guard();
DROP FUNCTION IF EXISTS public.settlement_closing_reasons(bigint);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("settlement", "0010_proposed_instruction"),
        ("merchants", "0030_merchant_closing"),
    ]

    operations = [
        sql.migrate_file("settlement", "withdrawal_authority"),
        sql.migrate_file("settlement", "closing", UNDO),
    ]
