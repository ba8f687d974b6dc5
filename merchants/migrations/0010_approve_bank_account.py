"""Who may approve bank accounts: without a permission of its own everybody in the admin could."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("merchants", "0009_partner_grant")]

    operations = [
        migrations.AlterModelOptions(
            name="bankaccount",
            options={
                "permissions": [("approve_bankaccount", "Can approve bank accounts")],
                "verbose_name": "bank account",
                "verbose_name_plural": "bank accounts",
            },
        ),
    ]
