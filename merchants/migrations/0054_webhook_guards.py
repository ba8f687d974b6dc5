"""Guards and history of webhooks."""

from django.db import migrations

from foundation import guards, sql

UNDO = """
DROP TRIGGER webhook_endpoint_guard ON public.merchants_webhook_endpoint;
DROP TRIGGER webhook_delivery_guard ON public.merchants_webhook_delivery;
DROP TRIGGER refuse_truncate ON public.merchants_webhook_delivery;
DROP FUNCTION public.merchants_webhook_endpoint_guard();
DROP FUNCTION public.merchants_webhook_delivery_guard();
"""
UNDO_KEYS = """
ALTER TABLE public.merchants_webhook_delivery DROP CONSTRAINT webhook_delivery_endpoint;
ALTER TABLE public.merchants_webhook_endpoint DROP CONSTRAINT webhook_endpoint_of_merchant;
DELETE FROM public.merchants_verification_rule WHERE operation LIKE 'webhook.%';
"""


class Migration(migrations.Migration):
    dependencies = [("merchants", "0053_webhook")]

    operations = [
        sql.migrate_file("merchants", "webhook_keys", UNDO_KEYS),
        sql.migrate_file("merchants", "webhook", UNDO),
        guards.never_deleted("merchants_webhook_endpoint"),
        guards.track(
            "merchants_webhook_endpoint",
            mask=["secret", "previous_secret"],
            ignore=["tried_at", "last_sequence", "failures", "failing_since", "waits_until"],
        ),
    ]
