"""The history of keys: both hashes masked, and use is no change."""

from __future__ import annotations

from django.db import migrations

from foundation import guards

UNTRACK = """
DROP TRIGGER history ON public.merchants_api_key;
DROP TRIGGER refuse_truncate ON public.merchants_api_key;
"""
BEFORE = guards.track("merchants_api_key", mask=["secret_hash"])


class Migration(migrations.Migration):
    dependencies = [("merchants", "0018_api_key_rotation")]

    operations = [
        migrations.RunSQL(UNTRACK, BEFORE.sql),
        guards.track(
            "merchants_api_key",
            mask=["secret_hash", "previous_hash"],
            ignore=["last_used_at", "last_used_from", "last_refused_at"],
        ),
    ]
