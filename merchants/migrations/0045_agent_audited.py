"""An agent that nobody approved commits only with its line in the audit trail."""

from django.db import migrations

from foundation.sql import migrate_file


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0044_paper_left_out"),
        ("foundation", "0018_audit_now"),
    ]

    operations = [migrate_file("merchants", "agent")]
