"""A proof of the keys that this database is written with, made with the first of them."""

from __future__ import annotations

import uuid

from django.db import migrations, models

import foundation.fields
from foundation import crypto, guards


def prove(apps, schema_editor):
    """Write the one row with this machine's keys."""
    proofs = apps.get_model("foundation", "KeyProof").objects.using(schema_editor.connection.alias)
    text = "countinghouse"
    proofs.create(id=1, encrypted=text, text_hash=crypto.lookup_hash(text))


class Migration(migrations.Migration):
    dependencies = [("foundation", "0023_encrypted_exports")]

    operations = [
        migrations.CreateModel(
            name="KeyProof",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False)),
                ("encrypted", foundation.fields.EncryptedTextField()),
                ("text_hash", models.BinaryField()),
            ],
            options={"db_table": "foundation_key_proof",
                'constraints': [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="key_proof_one"),
                ],
            },
        ),
        guards.never_deleted("foundation_key_proof"),
        migrations.RunPython(prove, migrations.RunPython.noop),
    ]
