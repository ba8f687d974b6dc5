"""The bytes of papers: encrypted, bound to their paper and place, rotated, proved, refused."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from foundation import pieces, sql
from foundation.models import AuditEvent, User
from foundation.services import key_rotation
from merchants.models import Application, Document, DocumentPart
from merchants.services import application as applications
from merchants.services import document as documents
from merchants.services import document_part as parts
from tests.factories import application as factory
from tests.factories.application import AT
from tests.factories.foundation import UserFactory

PIECES = 3


@pytest.fixture
def maker(cloned_db: str, monkeypatch: pytest.MonkeyPatch) -> User:
    monkeypatch.setattr(pieces, "SIZE", 400)
    user: User = UserFactory(is_staff=True)
    return user


def paper(application: Application, maker: User, colour: str = "teal") -> Document:
    content = photo(colour)
    assert 2 * pieces.SIZE < len(content) <= PIECES * pieces.SIZE
    return documents.add(
        application_id=application.id, kind="LICENCE", file=io.BytesIO(content),
        file_name="a.png", maker=maker, at=AT,
    )  # fmt: skip


def photo(colour: str) -> bytes:
    """A picture of a little over two pieces."""
    made = factory.picture("PNG", colour=colour)
    return made + b"\0" * (2 * 400 + 100 - len(made))


def bytes_of(document: Document) -> bytes:
    document.refresh_from_db()
    return b"".join(documents.read(uuid=document.uuid, at=AT)[1])


def take(document: Document, page: int) -> object:
    if page:
        return documents.look(uuid=document.uuid, page=page, at=AT)
    return documents.read(uuid=document.uuid, at=AT)


def stored() -> bytes:
    """Everything that lies in the tables of papers."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(content, '') FROM merchants_document"
            " UNION ALL SELECT content FROM merchants_document_part"
        )
        return b"".join(bytes(row[0]) for row in cursor.fetchall())


class TestTheBytes:
    def test_lie_encrypted_and_come_back_as_they_were(self, maker):
        document = paper(applications.begin(maker=maker, at=AT), maker)

        assert DocumentPart.objects.filter(page=0).count() == PIECES
        assert b"\x89PNG" not in stored()
        assert b"\xff\xd8\xff" not in stored()
        assert bytes_of(document) == photo("teal")
        assert document.sha256 == hashlib.sha256(photo("teal")).hexdigest()
        assert documents.look(uuid=document.uuid, page=1, at=AT).startswith(b"\xff\xd8\xff")

    @pytest.mark.parametrize("page", [0, 1])
    def test_of_two_papers_cannot_be_swapped(self, maker, page):
        application = applications.begin(maker=maker, at=AT)
        one, other = (paper(application, maker, colour) for colour in ("teal", "red"))
        first, second = (document.parts.get(page=page, position=0) for document in (one, other))

        for mine, theirs in ((first, second), (second, first)):
            sql.execute(
                "UPDATE merchants_document_part SET content = %s WHERE id = %s",
                [bytes(theirs.__dict__["content"]), mine.id],
            )

        for document in (one, other):
            with pytest.raises(parts.DocumentDamaged):
                take(document, page)
            document.refresh_from_db()
            assert document.damaged_at == AT

    def test_of_one_paper_cannot_change_places(self, maker):
        document = paper(applications.begin(maker=maker, at=AT), maker)
        first, second = document.parts.filter(page=0).order_by("position")[:2]
        sql.execute(
            "UPDATE merchants_document_part SET content = %s WHERE id = %s",
            [bytes(second.__dict__["content"]), first.id],
        )

        with pytest.raises(parts.DocumentDamaged):
            documents.read(uuid=document.uuid, at=AT)

    def test_that_are_cut_off_are_found(self, maker, superuser):
        document = paper(applications.begin(maker=maker, at=AT), maker)
        superuser.execute(
            "DELETE FROM merchants_document_part WHERE page = 0 AND position = %s", [PIECES - 1]
        )

        with pytest.raises(parts.DocumentDamaged):
            documents.read(uuid=document.uuid, at=AT)

    def test_that_are_another_files_with_all_its_names_are_found(self, maker, superuser):
        """Somebody with the owner's rights gives one paper the parts and the name of another."""
        application = applications.begin(maker=maker, at=AT)
        one, other = (paper(application, maker, colour) for colour in ("teal", "red"))
        superuser.execute(
            "UPDATE merchants_document_part SET document_id = -1 WHERE document_id = %s", [one.id]
        )
        superuser.execute(
            "UPDATE merchants_document_part SET document_id = %s WHERE document_id = %s",
            [one.id, other.id],
        )
        superuser.execute(
            "UPDATE merchants_document SET uuid = gen_random_uuid() WHERE id = %s", [other.id]
        )
        superuser.execute(
            "UPDATE merchants_document SET uuid = %s WHERE id = %s", [other.uuid, one.id]
        )

        with pytest.raises(parts.DocumentDamaged):  # by its hash
            documents.read(uuid=other.uuid, at=AT)

    def test_that_were_put_back_are_shown_again(self, maker):
        document = paper(applications.begin(maker=maker, at=AT), maker)
        part = document.parts.get(page=0, position=0)
        change = "UPDATE merchants_document_part SET content = %s WHERE id = %s"
        sql.execute(change, [b"x" * 40, part.id])
        with pytest.raises(CommandError):
            call_command("encrypt_documents", "--check")
        sql.execute(change, [bytes(part.__dict__["content"]), part.id])

        assert bytes_of(document) == photo("teal")

        document.refresh_from_db()
        assert document.damaged_at is None
        acts = AuditEvent.objects.filter(action__in=["document.damaged", "document.sound"])
        assert [act.action for act in acts.order_by("id")] == ["document.damaged", "document.sound"]
        call_command("encrypt_documents", "--check")

    def test_without_their_key_are_damaged_until_it_is_back(self, maker, settings):
        document = paper(applications.begin(maker=maker, at=AT), maker)
        keys, settings.FIELD_KEYS = settings.FIELD_KEYS, {"other": key(9)}
        with pytest.raises(parts.DocumentDamaged):
            documents.read(uuid=document.uuid, at=AT)
        settings.FIELD_KEYS = keys

        assert bytes_of(document) == photo("teal")

    def test_of_the_largest_paper_are_read_in_little_memory(self, maker, monkeypatch):
        monkeypatch.undo()  # pieces of their real size
        application = applications.begin(maker=maker, at=AT)
        content = factory.picture() + b"\0" * (10 * 1024 * 1024 - len(factory.picture()))
        document = documents.add(
            application_id=application.id, kind="LICENCE", file=io.BytesIO(content),
            file_name="a.png", maker=maker, at=AT,
        )  # fmt: skip
        digest = hashlib.sha256()

        tracemalloc.start()
        for piece in documents.read(uuid=document.uuid, at=AT)[1]:
            digest.update(piece)
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert digest.hexdigest() == hashlib.sha256(content).hexdigest()
        assert peak < 4 * 1024 * 1024


class TestTheDatabase:
    """Raw SQL of the product's role."""

    def refused(self, match: str) -> Any:
        return pytest.raises(IntegrityError, match=match)

    def test_takes_no_paper_that_lies_plain(self, maker):
        document = paper(applications.begin(maker=maker, at=AT), maker)

        with self.refused("document_plain"), transaction.atomic():
            sql.execute(
                "INSERT INTO merchants_document (merchant_id, application_id, uuid, kind,"
                " file_name, content_type, content, sha256, size_bytes, pages, preview_count,"
                " uploaded_by_id, uploaded_at) SELECT merchant_id, application_id,"
                " gen_random_uuid(), 'OTHER', 'x', 'image/png', 'x',"
                " encode(sha256('x'), 'hex'), 1, 1, 0, uploaded_by_id, now()"
                " FROM merchants_document WHERE id = %s",
                [document.id],
            )

    @pytest.mark.parametrize("count", [None, 0, 4])
    def test_takes_no_paper_without_its_parts(self, maker, count):
        document = paper(applications.begin(maker=maker, at=AT), maker)

        with self.refused("document_whole|document_hash"), transaction.atomic():
            sql.execute(
                "INSERT INTO merchants_document (merchant_id, application_id, uuid, kind,"
                " file_name, content_type, sha256, size_bytes, pages, part_count, preview_count,"
                " uploaded_by_id, uploaded_at) SELECT merchant_id, application_id,"
                " gen_random_uuid(), 'OTHER', 'x', 'image/png', sha256, 1, 1, %s, 0,"
                " uploaded_by_id, now() FROM merchants_document WHERE id = %s",
                [count, document.id],
            )

    @pytest.mark.parametrize("place", ["0, 3", "2, 0", "1, 1", "1, 0", "0, 0"])
    def test_takes_no_part_that_its_paper_does_not_count(self, maker, place):
        document = paper(applications.begin(maker=maker, at=AT), maker)

        with self.refused("document_part"), transaction.atomic():
            sql.execute(
                "INSERT INTO merchants_document_part (merchant_id, document_id, page, position,"
                f" uuid, content) SELECT merchant_id, id, {place}, gen_random_uuid(),"
                " repeat('x', 40)::bytea FROM merchants_document WHERE id = %s",
                [document.id],
            )

    @pytest.mark.parametrize(
        "change", ["page = 7", "position = 7", "uuid = gen_random_uuid()", "document_id = 0"]
    )
    def test_keeps_a_part_in_its_place(self, maker, change):
        paper(applications.begin(maker=maker, at=AT), maker)

        with self.refused("document_fixed"), transaction.atomic():
            sql.execute(f"UPDATE merchants_document_part SET {change}")

    @pytest.mark.parametrize(
        "change",
        ["content = 'x'", "part_count = NULL", "part_count = 2", "preview_count = 0",
         "preview = 'x'", "sha256 = repeat('0', 64)", "uuid = gen_random_uuid()"],
    )  # fmt: skip
    def test_keeps_what_a_paper_counts(self, maker, change):
        paper(applications.begin(maker=maker, at=AT), maker)

        with self.refused("document_fixed"), transaction.atomic():
            sql.execute(f"UPDATE merchants_document SET {change}")

    @pytest.mark.parametrize("verb", ["DELETE FROM", "TRUNCATE"])
    def test_loses_no_part(self, maker, verb):
        paper(applications.begin(maker=maker, at=AT), maker)

        with pytest.raises(Exception, match=r"permission denied|append_only"), transaction.atomic():
            sql.execute(f"{verb} merchants_document_part")


class TestPapersFromBefore:
    @pytest.fixture
    def old(self, maker: User, superuser: psycopg.Connection) -> list[Document]:
        """Three papers of a submitted application that lie as they came, one with its picture."""
        application = factory.submitted(maker)
        found = list(Document.objects.filter(application=application).order_by("id")[:3])
        for number, document in enumerate(found):
            superuser.execute(
                "DELETE FROM merchants_document_part WHERE document_id = %s", [document.id]
            )
            superuser.execute(
                "UPDATE merchants_document SET content = %s, preview = %s, part_count = NULL,"
                " preview_count = 0 WHERE id = %s",
                [factory.picture(), None if number else b"\xff\xd8\xffpreview", document.id],
            )
        return found

    def test_are_shown_as_they_lie(self, old):
        assert bytes_of(old[0]) == factory.picture()
        assert documents.look(uuid=old[0].uuid, page=1, at=AT) == b"\xff\xd8\xffpreview"
        assert list(old[0].shown_pages) == [1]

    def test_are_encrypted_and_nothing_else_changes(self, old, capsys):
        before = Document.objects.filter(id=old[0].id).values().get()

        call_command("encrypt_documents", "--json")

        assert capsys.readouterr().out.startswith('{"encrypted": 3, "plain": 0')
        after = Document.objects.filter(id=old[0].id).values().get()
        changed = {name for name in before if before[name] != after[name]}
        assert changed == {"content", "preview", "part_count", "preview_count"}
        assert b"\x89PNG" not in stored()
        assert [bytes_of(document) for document in old] == [factory.picture()] * 3
        assert documents.look(uuid=old[0].uuid, page=1, at=AT) == b"\xff\xd8\xffpreview"

    def test_go_on_being_encrypted_where_it_stopped(self, old):
        def stop(_done: int, _total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            parts.encrypt_all(progress=stop)
        assert parts.plain().count() == 2
        sql.execute("UPDATE foundation_job SET lease_expires_at = now()")

        assert parts.encrypt_all() == 2
        assert parts.encrypt_all() == 0

    def test_cannot_become_something_else_on_the_way(self, old):
        change = "UPDATE merchants_document SET content = NULL, preview = NULL, part_count = 1"

        for also in (", kind = 'OTHER'", ", sha256 = repeat('0', 64)", ""):
            match = "document_fixed" if also else "document_whole"
            with pytest.raises(IntegrityError, match=match), transaction.atomic():
                sql.execute(f"{change}{also} WHERE id = %s", [old[0].id])


class TestRotation:
    def test_writes_every_part_again_and_goes_on_after_a_kill(self, maker, settings, monkeypatch):
        application = applications.begin(maker=maker, at=AT)
        made = [paper(application, maker, colour) for colour in ("teal", "red", "navy")]
        (name, text), *_rest = settings.FIELD_KEYS.items()
        keys = {"new": key(7), name: text}
        environment = os.environ | {
            "FIELD_KEYS": json.dumps(keys),
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
        }
        process = subprocess.Popen(
            [sys.executable, "manage.py", "rotate_keys"], cwd=django_settings.BASE_DIR,
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while not written() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        sql.execute("UPDATE foundation_job SET lease_expires_at = now()")
        settings.FIELD_KEYS = keys

        key_rotation.rotate()

        assert written() == DocumentPart.objects.count() == 3 * (PIECES + 1)
        settings.FIELD_KEYS = {"new": key(7)}
        photos = [photo(colour) for colour in ("teal", "red", "navy")]
        assert [bytes_of(document) for document in made] == photos


def key(number: int) -> str:
    return base64.b64encode(bytes([number] * 32)).decode()


def written() -> int:
    """Return how many parts are written with the new key."""
    statement = (
        "SELECT count(*) AS n FROM merchants_document_part"
        " WHERE substring(content FROM 1 FOR 4) = 'new:'"
    )
    return int(sql.rows(statement)[0]["n"])
