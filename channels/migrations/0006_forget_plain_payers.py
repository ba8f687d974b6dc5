"""The references as they came are gone from here on; they cannot be brought back."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("channels", "0005_seal_payers")]

    operations = [migrations.RemoveField(model_name="payment", name="payer_ref")]
