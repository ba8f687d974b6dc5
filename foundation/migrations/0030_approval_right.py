"""Who decides has the right that the action asks for, and the database says so."""

from django.db import migrations, models

from foundation import guards, sql


class Migration(migrations.Migration):
    dependencies = [("foundation", "0029_staff_guards")]

    operations = [
        migrations.CreateModel(
            name="ApprovalRight",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("action", models.CharField(max_length=100, unique=True)),
                ("permission", models.CharField(max_length=150)),
            ],
            options={"db_table": "foundation_approval_right", "default_permissions": ()},
        ),
        guards.only_read("foundation_approval_right"),
        guards.track("foundation_approval_right"),
        sql.migrate_file("foundation", "approval_guard"),
    ]
