"""The pieces of an export's file are encrypted, each for its place in this file alone."""

from __future__ import annotations

import uuid

from django.db import migrations, models

import foundation.fields
from foundation import sql


class Migration(migrations.Migration):
    dependencies = [("foundation", "0022_forget_plain_exports")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE public.foundation_file_export"
            " ADD COLUMN uuid uuid NOT NULL DEFAULT gen_random_uuid();"
            "ALTER TABLE public.foundation_file_export ALTER COLUMN uuid DROP DEFAULT;"
            "ALTER TABLE public.foundation_file_export_part"
            " ALTER COLUMN content SET STORAGE EXTERNAL",
            "ALTER TABLE public.foundation_file_export DROP COLUMN uuid",
            state_operations=[
                migrations.AddField(
                    "fileexport", "uuid", models.UUIDField(default=uuid.uuid4, editable=False)
                )
            ],
        ),
        migrations.AddField(
            "fileexportpart",
            "uuid",
            models.UUIDField(default=None, editable=False),
            preserve_default=False,
        ),
        migrations.AlterField(
            "fileexportpart",
            "content",
            foundation.fields.EncryptedBinaryField(verbose_name="content"),
        ),
        sql.migrate_file("foundation", "file_export"),
    ]
