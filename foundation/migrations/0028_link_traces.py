"""The keyed hash of a browser (SIG-18), and the indexes along which the link finder looks."""

import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('foundation', '0027_staff_role'),
    ]

    operations = [
        migrations.AddField(
            model_name='signin',
            name='device_key',
            field=models.BinaryField(max_length=32, null=True),
        ),
        migrations.AddIndex(
            model_name='signin',
            index=models.Index(fields=['door', 'network', 'user', 'signed_in_at'], name='sign_in_network'),
        ),
        migrations.AddIndex(
            model_name='signin',
            index=models.Index(condition=models.Q(('device_key__isnull', False)), fields=['door', 'device_key', 'user', 'signed_in_at'], name='sign_in_device'),
        ),
        migrations.AddIndex(
            model_name='user',
            index=models.Index(django.db.models.functions.text.Upper('email'), name='user_email'),
        ),
    ]
