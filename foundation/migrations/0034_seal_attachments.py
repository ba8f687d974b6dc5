"""Encrypt the papers of proposals that are there, one after the other."""

import hashlib

from django.db import migrations

from foundation.sql import execute, rows

TABLE = "public.foundation_approval_attachment"
# Plain is what has the length and the hash that the proposal names.
PLAIN = f"""
SELECT p.id, p.uuid, p.content, a.attachments -> p.position::integer ->> 'sha256' AS sha256
  FROM {TABLE} p
  JOIN public.foundation_approval a ON a.merchant_id = p.merchant_id AND a.id = p.approval_id
 WHERE p.id > %s AND octet_length(p.content)
       = (a.attachments -> p.position::integer ->> 'size_bytes')::integer
 ORDER BY p.id LIMIT 1"""


def seal(apps, schema_editor):
    """Write each paper again, encrypted with the present key."""
    field = apps.get_model("foundation", "ApprovalAttachment")._meta.get_field("content")
    using, last = schema_editor.connection.alias, 0
    while found := rows(PLAIN, [last], using=using):
        paper = found[0]
        last, content = paper["id"], bytes(paper["content"])
        if hashlib.sha256(content).hexdigest() != paper["sha256"]:
            raise ValueError(f"approval paper {last} is not the one its proposal names")
        sealed = field.seal(content, field.associated_with(paper["uuid"]))
        execute(f"UPDATE {TABLE} SET content = %s WHERE id = %s", [sealed, last], using=using)


class Migration(migrations.Migration):
    dependencies = [("foundation", "0033_sealed_attachments")]

    operations = [migrations.RunPython(seal, migrations.RunPython.noop)]
