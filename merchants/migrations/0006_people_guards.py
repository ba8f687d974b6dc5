"""Guards and history of bank accounts, memberships, keys, payment passwords and tokens."""

from __future__ import annotations

from django.db import migrations

from foundation import guards, sql

UNDO = """
DELETE FROM public.merchants_verification_rule;
DROP TRIGGER refuse_delete ON public.merchants_bank_account;
DROP TRIGGER refuse_delete ON public.merchants_membership;
DROP TRIGGER refuse_delete ON public.merchants_api_key;
DROP TRIGGER api_key_guard ON public.merchants_api_key;
DROP FUNCTION public.merchants_api_key_guard();
DROP TRIGGER verification_token_guard ON public.merchants_verification_token;
DROP FUNCTION public.merchants_verification_token_guard();
DROP TRIGGER bank_account_guard ON public.merchants_bank_account;
DROP FUNCTION public.merchants_bank_account_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("merchants", "0005_people"), ("foundation", "0006_audit")]

    operations = [
        guards.track("merchants_bank_account", mask=["number", "number_hash"]),
        guards.track("merchants_membership"),
        guards.track("merchants_api_key", mask=["secret_hash"]),
        guards.track(
            "merchants_payment_password",
            mask=["password_hash"],
            ignore=["failed_count"],
        ),
        guards.track("merchants_verification_rule"),
        guards.never_deleted("merchants_verification_token"),
        sql.migrate_file("merchants", "people", UNDO),
    ]
