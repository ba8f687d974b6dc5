"""The sign-in passwords that accounts had; those that are there count from this moment on."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from foundation import guards

BEGIN = """
INSERT INTO public.foundation_sign_in_password (user_id, password_hash, given, set_at)
SELECT id, password, false, statement_timestamp() FROM public.foundation_user
 WHERE password LIKE 'argon2%'
"""


class Migration(migrations.Migration):

    dependencies = [
        ('foundation', '0020_guess_count'),
    ]

    operations = [
        migrations.CreateModel(
            name='SignInPassword',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password_hash', models.CharField(max_length=128, verbose_name='hash')),
                ('given', models.BooleanField(verbose_name='given by another person')),
                ('set_at', models.DateTimeField(verbose_name='set at')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'former sign-in password',
                'verbose_name_plural': 'former sign-in passwords',
                'db_table': 'foundation_sign_in_password',
                'indexes': [models.Index(fields=['user', '-id'], name='sign_in_password_of_user')],
            },
        ),
        migrations.RunSQL(BEGIN, migrations.RunSQL.noop),
        guards.append_only("foundation_sign_in_password"),
    ]
