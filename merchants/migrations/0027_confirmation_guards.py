"""Confirmations are said once, by others, in time; and what a colleague proves for saying so."""

from __future__ import annotations

from django.db import migrations

from foundation import guards, sql

UNDO = """
DROP TRIGGER attempt_confirmed ON public.merchants_verification_attempt;
DROP FUNCTION public.merchants_attempt_confirmed();
DROP TRIGGER confirmation_guard ON public.merchants_confirmation;
DROP FUNCTION public.merchants_confirmation_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("merchants", "0026_confirmation")]

    operations = [
        sql.migrate_file("merchants", "confirmation", UNDO),
        guards.never_deleted("merchants_confirmation"),
        guards.track("merchants_confirmation"),
    ]
