"""A change of a merchant reaches its registrations; ends and terms need two persons."""

from django.db import migrations

from foundation import sql

UNDO = """
DROP TRIGGER registrations_outdated ON public.merchants_merchant;
DROP FUNCTION public.channels_registrations_outdated();
DROP FUNCTION public.channels_registration_told(bigint);
DROP TRIGGER registration_replaced ON public.channels_registration;
DROP FUNCTION public.channels_registration_replaced();
"""
UNDO_TERMS = """
DROP TRIGGER channel_terms_audited ON public.channels_channel;
DROP FUNCTION public.channels_channel_terms_audited();
DROP TRIGGER channel_agreed ON public.channels_channel;
DROP TRIGGER channel_begins_bare ON public.channels_channel;
DROP FUNCTION public.channels_channel_agreed();
DROP FUNCTION public.channels_channel_terms(jsonb);
"""
# Of changes before today nothing was noted: what a file brought in may have been told otherwise.
CATCH_UP = """
UPDATE public.channels_registration r SET outdated_at = now()
  FROM public.merchants_merchant m
 WHERE m.id = r.merchant_id AND r.state IN ('REQUESTED', 'SUBMITTED', 'APPROVED')
   AND r.application_id IS DISTINCT FROM m.stands_on
   AND (r.application_id IS NULL OR public.channels_registration_told(r.application_id)
     IS DISTINCT FROM public.channels_registration_told(m.stands_on))
"""


class Migration(migrations.Migration):
    dependencies = [("channels", "0012_registration_ends")]

    operations = [
        sql.migrate_file("channels", "registration"),
        sql.migrate_file("channels", "registration_end", UNDO),
        sql.migrate_file("channels", "channel_terms", UNDO_TERMS),
        migrations.RunSQL(CATCH_UP, migrations.RunSQL.noop),
    ]
