"""The house's own row, so that its book exists before the first entry."""

from __future__ import annotations

from django.db import migrations

INSERT = """
INSERT INTO merchants_merchant (merchant_no, kind, name, registration_no, city, region, country,
status, created_at) VALUES ('HOUSE', 'HOUSE', 'HOUSE', '', '', '', 'CN', 'ACTIVE', now()) ON
CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("merchants", "0001_initial")]

    operations = [migrations.RunSQL(INSERT, migrations.RunSQL.noop)]
