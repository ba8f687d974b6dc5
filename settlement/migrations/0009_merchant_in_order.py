"""A merchant's freeze and the leaving of its money stand in one order, by a share lock."""

from __future__ import annotations

from django.db import migrations

from foundation import sql


class Migration(migrations.Migration):
    dependencies = [
        ("settlement", "0008_cooling"),
        ("merchants", "0023_merchant_state"),
    ]

    operations = [
        sql.migrate_file("settlement", "withdrawal_authority"),
        sql.migrate_file("settlement", "payout_proof"),
    ]
