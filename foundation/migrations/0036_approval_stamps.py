"""Proposals and decisions carry a stamp; what stood before the stamp came is taken as it stands."""

from django.db import migrations, models

from foundation.services import approval_stamp

GUARDS = (("foundation_approval", "approval_guard"), ("foundation_approval_decision", "refuse_change"))


def stamp(apps, schema_editor):
    """Stamp each row that is there, past the guards that keep it."""
    using = schema_editor.connection.alias
    for table, guard in GUARDS:
        schema_editor.execute(f"ALTER TABLE public.{table} DISABLE TRIGGER {guard}")
    for name, of in (
        ("Approval", approval_stamp.proposal),
        ("ApprovalDecision", approval_stamp.decision),
    ):
        rows = apps.get_model("foundation", name).objects.using(using)
        for row in rows.filter(stamp="").iterator(chunk_size=2000):
            rows.filter(merchant_id=row.merchant_id, id=row.id).update(stamp=of(row))
    for table, guard in GUARDS:
        schema_editor.execute(f"ALTER TABLE public.{table} ENABLE TRIGGER {guard}")


class Migration(migrations.Migration):
    dependencies = [("foundation", "0035_names_of_pieces")]

    operations = [
        migrations.AddField(
            "approval",
            "stamp",
            models.CharField(
                db_default="", editable=False, max_length=97, verbose_name="stamp"
            ),
        ),
        migrations.AddField(
            "approvaldecision",
            "stamp",
            models.CharField(
                db_default="", editable=False, max_length=64, verbose_name="stamp"
            ),
        ),
        migrations.RunPython(stamp, migrations.RunPython.noop),
        migrations.AddConstraint(
            "approval",
            models.UniqueConstraint(
                condition=models.Q(("stamp", ""), _negated=True),
                fields=("merchant", "stamp"),
                name="approval_stamped_once",
            ),
        ),
    ]
