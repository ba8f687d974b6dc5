"""To whom belongs what stands in an account, by its kind."""

from django.db import migrations, models

from ledger import chart


def fill(apps, schema_editor):
    """Write the owners that ship."""
    kinds = apps.get_model("ledger", "AccountKind").objects.using(schema_editor.connection.alias)
    for kind, owner in chart.OWNERS.items():
        kinds.filter(kind=kind).update(owner=owner)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0014_triggers_after")]

    operations = [
        migrations.AddField(
            model_name="accountkind",
            name="owner",
            field=models.CharField(
                choices=[
                    ("HOUSE", "the house"),
                    ("MERCHANT", "the merchant"),
                    ("CUSTOMERS", "the merchant's customers"),
                    ("AGENT", "agents"),
                    ("STATE", "the tax office"),
                ],
                default="HOUSE",
                max_length=10,
                verbose_name="belongs to",
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
