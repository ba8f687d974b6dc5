"""Guards and history of second factors; nobody writes the tables of `allauth.account`."""

from __future__ import annotations

from django.db import migrations

from foundation import guards, sql

UNDO = """
DROP TRIGGER second_factor_guard ON public.foundation_second_factor_guard;
DROP FUNCTION public.foundation_second_factor_guard();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("foundation", "0008_second_factor"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("mfa", "0003_authenticator_type_uniq"),
    ]

    operations = [
        sql.migrate_file("foundation", "second_factor", UNDO),
        guards.never_deleted("foundation_second_factor_guard"),
        guards.track("mfa_authenticator", mask=["data"], ignore=["last_used_at"]),
        guards.only_read("account_emailaddress"),
        guards.only_read("account_emailconfirmation"),
    ]
