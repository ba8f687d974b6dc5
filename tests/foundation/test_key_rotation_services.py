import base64
import copy
import uuid

import pytest
from django.core.management import CommandError, call_command
from django.db import connections, models
from django.test.utils import isolate_apps

from foundation import crypto, sql
from foundation.fields import Ciphertext, EncryptedTextField
from foundation.models import Job
from foundation.services import key_rotation

KEYS = {name: base64.b64encode(bytes([n] * 32)).decode() for n, name in enumerate(["old", "new"])}
CARD = "6216261000000000018"


@pytest.fixture
def secret(cloned_db, settings, monkeypatch):
    """A model with one encrypted field, its table, and 1,200 rows written with the old key."""
    settings.FIELD_KEYS = {"old": KEYS["old"]}
    with isolate_apps("foundation"):

        class Secret(models.Model):
            uuid = models.UUIDField(default=uuid.uuid4)
            number = EncryptedTextField(null=True)

            class Meta:
                app_label = "foundation"
                db_table = "tests_secret"

    with connections["owner"].schema_editor() as editor:
        editor.create_model(Secret)
    Secret.objects.bulk_create(Secret(number=f"{CARD}{n}") for n in range(1_200))
    monkeypatch.setattr(
        key_rotation, "encrypted_fields", lambda: iter([Secret._meta.get_field("number")])
    )
    return Secret


def key_ids() -> dict[str, int]:
    found = sql.rows(
        "SELECT split_part(number, ':', 1) AS key, count(*) AS rows FROM tests_secret GROUP BY 1"
    )
    return {row["key"]: row["rows"] for row in found}


class TestField:
    def test_reads_what_was_written_and_stores_nothing_of_it(self, secret):
        row = secret.objects.order_by("id").first()

        assert row.number == f"{CARD}0"
        (stored,) = sql.rows("SELECT number FROM tests_secret WHERE id = %s", [row.id])
        assert stored["number"].startswith("old:")
        assert CARD not in stored["number"]
        assert CARD not in repr(row.__dict__)

    def test_a_value_moved_to_another_row_is_refused(self, secret):
        first, second = secret.objects.order_by("id")[:2]
        sql.execute(
            "UPDATE tests_secret SET number = (SELECT number FROM tests_secret WHERE id = %s)"
            " WHERE id = %s",
            [first.id, second.id],
        )
        second = secret.objects.get(id=second.id)

        with pytest.raises(crypto.Tampered):
            str(second.number)

    def test_saving_what_nobody_touched_leaves_it_as_it_is(self, secret):
        row = secret.objects.order_by("id").first()
        before = copy.copy(row.__dict__["number"])
        row.save()
        row = secret.objects.get(id=row.id)
        assert row.__dict__["number"] == before

        row.number = "4111111111111111"
        row.save()
        row = secret.objects.get(id=row.id)
        assert isinstance(row.__dict__["number"], Ciphertext)
        assert row.number == "4111111111111111"

    def test_none_stays_none_and_a_deferred_one_is_loaded(self, secret):
        empty = secret.objects.create(number=None)

        assert secret.objects.filter(number__isnull=True).get().id == empty.id
        assert secret.objects.defer("number").order_by("id").first().number == f"{CARD}0"

    def test_search_update_and_bulk_update_are_refused(self, secret):
        row = secret.objects.order_by("id").first()
        row.number = "4111111111111111"

        with pytest.raises(TypeError, match="encrypted"):
            secret.objects.update(number="4111111111111111")
        with pytest.raises(TypeError, match="encrypted"):
            secret.objects.bulk_update([row], ["number"])
        with pytest.raises(Exception, match="Unsupported lookup"):
            secret.objects.filter(number="4111111111111111").exists()

    def test_needs_a_uuid_beside_it(self):
        with isolate_apps("foundation"):

            class Bare(models.Model):
                number = EncryptedTextField()

                class Meta:
                    app_label = "foundation"

            assert [error.id for error in Bare.check()] == ["foundation.E001"]


class TestRotate:
    def test_writes_every_value_again_with_the_new_key(self, secret, settings):
        settings.FIELD_KEYS = {"new": KEYS["new"], "old": KEYS["old"]}

        rotated = key_rotation.rotate()

        assert (rotated.written, rotated.left) == (1_200, 0)
        assert key_ids() == {"new": 1_200}
        settings.FIELD_KEYS = {"new": KEYS["new"]}
        numbers = {row.number for row in secret.objects.all()}
        assert numbers == {f"{CARD}{n}" for n in range(1_200)}
        assert key_rotation.rotate().written == 0

    def test_goes_on_where_it_stopped(self, secret, settings):
        settings.FIELD_KEYS = {"new": KEYS["new"], "old": KEYS["old"]}

        def stop(_written, _total):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            key_rotation.rotate(progress=stop)
        assert key_ids() == {"new": 500, "old": 700}
        sql.execute("UPDATE foundation_job SET lease_expires_at = now()")

        rotated = key_rotation.rotate()

        assert rotated.written == 700
        assert key_ids() == {"new": 1_200}
        job = Job.objects.get()
        assert (job.state, job.done, job.fence) == ("DONE", 1_200, 2)

    def test_leaves_a_value_that_changed_meanwhile(self, secret, settings):
        settings.FIELD_KEYS = {"new": KEYS["new"], "old": KEYS["old"]}
        field = secret._meta.get_field("number")
        batch = key_rotation._batch(field, 0)
        row = secret.objects.get(id=batch[0]["id"])
        row.number = "4111111111111111"
        row.save()

        assert key_rotation._rewrite(field, batch, []) == 499

        row.refresh_from_db()
        assert row.number == "4111111111111111"

    def test_goes_past_a_damaged_value_and_names_it(self, secret, settings, capsys):
        settings.FIELD_KEYS = {"new": KEYS["new"], "old": KEYS["old"]}
        sql.execute("UPDATE tests_secret SET number = 'old:AAAA' WHERE id = 7")

        rotated = key_rotation.rotate()

        assert (rotated.written, rotated.damaged) == (1_199, ("foundation.Secret.number 7",))
        with pytest.raises(CommandError):
            call_command("rotate_keys")
        assert "foundation.Secret.number 7: damaged" in capsys.readouterr().out

    def test_the_command_counts_what_is_left(self, secret, settings, capsys):
        settings.FIELD_KEYS = {"new": KEYS["new"], "old": KEYS["old"]}

        with pytest.raises(CommandError) as refusal:
            call_command("rotate_keys", "--check", "--json")
        assert refusal.value.returncode == 1
        call_command("rotate_keys", "--json")

        first, second = capsys.readouterr().out.splitlines()
        assert '"written": 0' in first
        assert "1200" in first
        assert '"written": 1200' in second
