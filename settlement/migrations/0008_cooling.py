"""Nothing new is withdrawn to an account that cools or was replaced."""

from __future__ import annotations

from django.db import migrations

from foundation import sql


class Migration(migrations.Migration):
    dependencies = [
        ("settlement", "0007_tracked"),
        ("merchants", "0020_bank_account_request"),
    ]

    operations = [sql.migrate_file("settlement", "withdrawal_authority")]
