"""Guards of verification requests, attempts, codes, counts and rules; the matrix to begin with."""

from __future__ import annotations

from django.db import migrations

from foundation import guards, sql

UNDO = """
DROP TRIGGER verification_token_proved ON public.merchants_verification_token;
DROP FUNCTION public.merchants_verification_token_proved();
DROP TRIGGER one_time_code_guard ON public.merchants_one_time_code;
DROP FUNCTION public.merchants_one_time_code_guard();
DROP TRIGGER verification_rule_guard ON public.merchants_verification_rule;
DROP FUNCTION public.merchants_verification_rule_guard();
DROP TRIGGER refuse_delete ON public.merchants_verification_rule;
"""


class Migration(migrations.Migration):
    dependencies = [("merchants", "0015_verification")]

    operations = [
        guards.append_only("merchants_verification_request"),
        guards.append_only("merchants_verification_attempt"),
        guards.never_deleted("merchants_one_time_code"),
        guards.never_deleted("merchants_factor_count"),
        sql.migrate_file("merchants", "verification_rules", "DELETE FROM"
            " public.merchants_verification_rule WHERE from_amount_minor > 0"
            " OR operation <> 'withdrawal'"),
        sql.migrate_file("merchants", "verification", UNDO),
    ]
