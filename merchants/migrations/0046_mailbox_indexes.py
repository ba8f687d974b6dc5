"""Contacts are found by the mailbox their mail lands in (LNK-2, APP-13)."""

import foundation.models.user
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('merchants', '0045_agent_audited'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='applicationcontact',
            name='application_contact_email',
        ),
        migrations.AddIndex(
            model_name='applicationcontact',
            index=models.Index(foundation.models.user.Mailbox('email'), condition=models.Q(('email', ''), _negated=True), name='application_contact_mailbox'),
        ),
    ]
