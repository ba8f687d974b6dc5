"""Composite keys, checks, triggers, the intake, the writing functions, the chart, and who may what."""

from django.conf import settings
from django.db import migrations

from foundation.sql import migrate_file
from ledger import chart


def fill(apps, schema_editor):
    """Write the shipped chart of accounts, kinds and abilities."""
    alias = schema_editor.connection.alias
    subject = apps.get_model("ledger", "Subject").objects.using(alias)
    subject.bulk_create(
        subject.model(code=code, name_zh=zh, name_en=en) for code, (zh, en) in chart.SUBJECTS.items()
    )
    kind = apps.get_model("ledger", "AccountKind").objects.using(alias)
    kind.bulk_create(
        kind.model(
            kind=row.kind,
            subject_id=row.subject,
            normal_side=row.normal_side,
            never_negative=row.never_negative,
            house_only=row.house_only,
            name_zh=row.name_zh,
            name_en=row.name_en,
        )
        for row in chart.KINDS
    )
    ability = apps.get_model("ledger", "Ability").objects.using(alias)
    ability.bulk_create(
        ability.model(
            account_kind_id=cell.account_kind,
            operation=cell.operation,
            side=cell.side,
            legal_source=cell.legal_source,
        )
        for cell in chart.cells()
    )
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_accounting_day (zone, cut_off) VALUES (%s, %s::interval)",
            [settings.TIME_ZONE, settings.CUT_OFF],
        )


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        migrate_file("ledger", "checks"),
        migrate_file("ledger", "guards"),
        migrate_file("ledger", "triggers"),
        migrate_file("ledger", "intake"),
        migrate_file("ledger", "post"),
        migrate_file("ledger", "bulk"),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrate_file("ledger", "grants"),
    ]
