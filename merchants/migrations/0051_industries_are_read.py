"""Industries and gates decide who is taken on; no door writes them, so only the owner may."""

from django.db import migrations

from foundation import guards


class Migration(migrations.Migration):
    dependencies = [("merchants", "0050_outsiders")]

    operations = [
        guards.only_read("merchants_industry"),
        guards.only_read("merchants_product_gate"),
    ]
