"""Guards and history of applications; the first industries and gates of products."""

from __future__ import annotations

from django.db import migrations

from foundation import guards, sql

UNDO = """
ALTER TABLE public.merchants_application DROP CONSTRAINT application_has_history,
  DROP CONSTRAINT application_first_is_person, DROP CONSTRAINT application_second_is_person,
  DROP CONSTRAINT application_makers_review_nothing;
ALTER TABLE public.merchants_application_version DROP CONSTRAINT application_version_hash;
ALTER TABLE public.merchants_application_evidence DROP CONSTRAINT application_evidence_hash;
ALTER TABLE public.merchants_application_owner DROP CONSTRAINT application_owner_through;
DROP TRIGGER application_guard ON public.merchants_application;
DROP FUNCTION public.merchants_application_guard();
DROP FUNCTION public.merchants_application_gate(public.merchants_application);
DROP TRIGGER part_guard ON public.merchants_application_owner;
DROP TRIGGER part_guard ON public.merchants_application_contact;
DROP TRIGGER part_guard ON public.merchants_application_site;
DROP FUNCTION public.merchants_application_part_guard();
DROP TRIGGER shares ON public.merchants_application_owner;
DROP FUNCTION public.merchants_application_owner_shares();
"""


class Migration(migrations.Migration):
    dependencies = [("merchants", "0011_application")]

    operations = [
        guards.track("merchants_industry", key="code"),
        guards.track("merchants_product_gate", key="code"),
        sql.migrate_file("merchants", "industry", "DELETE FROM public.merchants_industry;"
                         " DELETE FROM public.merchants_product_gate;"),
        guards.track("merchants_application", mask=["account_number", "account_hash"]),
        guards.track("merchants_application_owner", mask=["identity_no", "identity_hash"]),
        guards.track("merchants_application_contact", mask=["phone", "phone_hash"]),
        guards.track("merchants_application_site"),
        migrations.RunSQL(
            "CREATE TRIGGER refuse_delete BEFORE DELETE ON public.merchants_application"
            " FOR EACH ROW EXECUTE FUNCTION public.foundation_refuse_change()",
            "DROP TRIGGER refuse_delete ON public.merchants_application",
        ),
        guards.never_deleted("merchants_document"),
        guards.append_only("merchants_application_transition"),
        guards.append_only("merchants_application_version"),
        guards.append_only("merchants_application_comment"),
        guards.append_only("merchants_application_evidence"),
        sql.migrate_file("merchants", "application_keys"),
        sql.migrate_file("merchants", "application", UNDO),
    ]
