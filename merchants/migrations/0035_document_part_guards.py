"""Papers lie encrypted in parts: what the database refuses."""

from __future__ import annotations

from django.db import migrations

from foundation import guards, sql

UNDO = """
DROP TRIGGER document_guard ON public.merchants_document;
DROP TRIGGER document_whole ON public.merchants_document;
DROP TRIGGER document_part_guard ON public.merchants_document_part;
DROP FUNCTION public.merchants_document_guard();
DROP FUNCTION public.merchants_document_whole();
DROP FUNCTION public.merchants_document_part_guard();
ALTER TABLE public.merchants_document DROP CONSTRAINT document_hash;
ALTER TABLE public.merchants_document_part DROP CONSTRAINT document_part_size;
"""


class Migration(migrations.Migration):
    dependencies = [("merchants", "0034_document_part")]

    operations = [
        guards.never_deleted("merchants_document_part"),
        sql.migrate_file("merchants", "document", UNDO),
    ]
