"""By whom an applicant comes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("merchants", "0036_agent")]

    operations = [
        migrations.AddField(
            model_name="application",
            name="agent_no",
            field=models.CharField(blank=True, default="", max_length=64, verbose_name="agent number"),
            preserve_default=False,
        )
    ]
