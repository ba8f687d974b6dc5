"""
The database keeps hashes of session cookies alone (SIG-19).

Sessions of before stood under their cookies' own value: they end here, and their sign-ins say so.
The column keeps its name, so that the release of before goes on until the new one has started.
"""

from django.db import migrations, models

END = """
DELETE FROM public.django_session;
UPDATE public.foundation_sign_in SET ended_at = now(), ended = 'upgrade', session_key = ''
 WHERE ended_at IS NULL AND last_seen_at > now() - interval '8 hours';
"""


class Migration(migrations.Migration):

    dependencies = [
        ('foundation', '0036_approval_stamps'),
        ('sessions', '0001_initial'),
    ]

    operations = [
        migrations.AlterField(
            model_name='signin',
            name='ended',
            field=models.CharField(blank=True, choices=[('signed_out', 'signed out'), ('elsewhere', 'ended from another session'), ('password', 'password changed'), ('factor', 'second step changed'), ('off', 'account switched off'), ('timed_out', 'not used for too long'), ('upgrade', 'new version of the product')], max_length=10, verbose_name='ended by'),
        ),
        migrations.AlterField(
            model_name='signin',
            name='session_key',
            field=models.CharField(db_column='session_key', max_length=40),
        ),
        migrations.RenameField(model_name='signin', old_name='session_key', new_name='session_hash'),
        migrations.SeparateDatabaseAndState(state_operations=[
            migrations.RemoveIndex(model_name='signin', name='sign_in_session'),
            migrations.AddIndex(
                model_name='signin',
                index=models.Index(fields=['session_hash'], name='sign_in_session'),
            ),
        ]),
        migrations.RunSQL(END, migrations.RunSQL.noop),
    ]
