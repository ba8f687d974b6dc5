"""Accounts are found by the mailbox their mail lands in (AP-3)."""

import foundation.models.user
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('foundation', '0030_approval_right'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='user',
            index=models.Index(foundation.models.user.Mailbox('email'), name='user_mailbox'),
        ),
    ]
