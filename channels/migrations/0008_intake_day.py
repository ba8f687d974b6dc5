"""An intake says by which zone and cut-off its facts were given their business dates."""

from datetime import time

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('channels', '0007_tracked'),
    ]

    operations = [
        migrations.AddField(
            model_name='intake',
            name='zone',
            field=models.CharField(default=settings.TIME_ZONE, max_length=64, verbose_name='zone'),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='intake',
            name='cut_off',
            field=models.TimeField(
                default=time.fromisoformat(settings.CUT_OFF), verbose_name='cut-off'
            ),
            preserve_default=False,
        ),
    ]
