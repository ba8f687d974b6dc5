"""Who may see links, and the index along which contacts of an e-mail address are found (LNK-2)."""

import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('merchants', '0042_agent_as_approved'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='membership',
            options={'permissions': [('view_link', 'Can see who shares persons, browsers and networks')], 'verbose_name': 'membership', 'verbose_name_plural': 'memberships'},
        ),
        migrations.AddIndex(
            model_name='applicationcontact',
            index=models.Index(django.db.models.functions.text.Upper('email'), condition=models.Q(('email', ''), _negated=True), name='application_contact_email'),
        ),
    ]
