"""Guards of changes of merchants; every merchant stands on the application it came of."""

from __future__ import annotations

from django.db import migrations

from foundation import guards, sql

STAND = """
UPDATE public.merchants_merchant m SET stands_on = a.id FROM public.merchants_application a
 WHERE a.became_id = m.id AND a.state = 'APPROVED' AND m.stands_on IS NULL;
"""
UNDO = """
DROP TRIGGER change_guard ON public.merchants_application;
DROP FUNCTION public.merchants_application_change_guard();
DROP TRIGGER merchant_begins_bare ON public.merchants_merchant;
DROP TRIGGER merchant_agreed ON public.merchants_merchant;
DROP FUNCTION public.merchants_merchant_agreed();
DROP TRIGGER takes_effect ON public.merchants_application;
DROP FUNCTION public.merchants_application_takes_effect();
DROP TRIGGER carried_document_guard ON public.merchants_carried_document;
DROP FUNCTION public.merchants_carried_document_guard();
DROP TRIGGER part_guard ON public.merchants_carried_document;
"""


class Migration(migrations.Migration):
    dependencies = [("merchants", "0038_application_change")]

    operations = [
        migrations.RunSQL(STAND, migrations.RunSQL.noop),
        guards.track("merchants_carried_document"),
        sql.migrate_file("merchants", "application"),
        sql.migrate_file("merchants", "application_change", UNDO),
    ]
