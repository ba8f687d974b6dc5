"""Papers of proposals lie encrypted; their cipher alone may be written again."""

import uuid

from django.db import migrations, models

import foundation.fields
from foundation import guards, sql

TABLE = "foundation_approval_attachment"


class Migration(migrations.Migration):
    dependencies = [("foundation", "0032_accounts_stay")]

    operations = [
        migrations.RunSQL(
            f"""
            DROP TRIGGER refuse_change ON public.{TABLE};
            DROP TRIGGER refuse_truncate ON public.{TABLE};
            ALTER TABLE public.{TABLE}
              ADD COLUMN uuid uuid NOT NULL DEFAULT gen_random_uuid();
            ALTER TABLE public.{TABLE} ALTER COLUMN uuid DROP DEFAULT,
              ALTER COLUMN content SET STORAGE EXTERNAL;
            """,
            migrations.RunSQL.noop,
            state_operations=[
                migrations.AddField(
                    "approvalattachment",
                    "uuid",
                    models.UUIDField(default=uuid.uuid4, editable=False),
                ),
            ],
        ),
        guards.never_deleted(TABLE),
        guards.writable(TABLE, "content"),
        migrations.AlterField(
            "approvalattachment",
            "content",
            foundation.fields.EncryptedBinaryField(verbose_name="content"),
        ),
        sql.migrate_file("foundation", "approval_attachment"),
    ]
