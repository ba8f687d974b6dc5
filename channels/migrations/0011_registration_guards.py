"""Registrations move along their table alone, with their history, and stay."""

from django.db import migrations

from foundation import guards, sql

UNDO = """
DROP TRIGGER registration_guard ON public.channels_registration;
DROP FUNCTION public.channels_registration_guard();
DROP TRIGGER step_made ON public.channels_registration_transition;
DROP FUNCTION public.channels_registration_step_made();
"""
UNDO_KEYS = """
ALTER TABLE public.channels_registration DROP CONSTRAINT registration_has_history;
"""


class Migration(migrations.Migration):
    dependencies = [("channels", "0010_registration")]

    operations = [
        guards.never_deleted("channels_registration"),
        guards.track("channels_registration"),
        guards.append_only("channels_registration_transition"),
        sql.migrate_file("channels", "registration_keys", UNDO_KEYS),
        sql.migrate_file("channels", "registration", UNDO),
    ]
