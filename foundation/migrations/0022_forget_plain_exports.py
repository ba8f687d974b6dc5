"""Files of exports lie encrypted from now on; those that lie plain are deleted before their day."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("foundation", "0021_sign_in_password")]

    operations = [
        migrations.RunSQL(
            """
            DELETE FROM public.foundation_file_export_part;
            UPDATE public.foundation_file_export SET state = 'DELETED', closed_at = now()
             WHERE state = 'READY';
            """,
            migrations.RunSQL.noop,
        )
    ]
