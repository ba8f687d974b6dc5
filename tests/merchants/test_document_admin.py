"""How papers leave the house: as attachments in a sandbox, to who may see them, on record."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse

from foundation import confined
from foundation.models import AuditEvent, User
from merchants.admin import work_items
from merchants.models import Document
from merchants.services import application as applications
from merchants.services import document as documents
from tests.factories.application import AT, picture
from tests.factories.foundation import UserFactory
from tests.merchants.test_document_preview import pdf as pdf_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def document() -> Document:
    maker = UserFactory(is_staff=True)
    application = applications.begin(maker=maker, at=AT)
    return documents.add(
        application_id=application.id, kind="LICENCE", file=io.BytesIO(picture()),
        file_name='营业"执照.exe', maker=maker, at=AT,
    )  # fmt: skip


def spoil(document: Document, page: int) -> None:
    """Change one bit of what lies in the database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE merchants_document_part"
            " SET content = set_byte(content, 40, get_byte(content, 40) # 1)"
            " WHERE document_id = %s AND page = %s",
            [document.id, page],
        )


def door(*roles: str) -> Client:
    user: User = UserFactory(is_staff=True, language="en")
    user.groups.set(Group.objects.filter(name__in=roles))
    client = Client()
    client.force_login(user)
    return client


def file_of(uuid: object) -> str:
    return reverse("admin:document_file", args=[uuid])


def preview_of(uuid: object) -> str:
    return reverse("admin:document_preview", args=[uuid, 1])


class TestAPaper:
    def test_goes_out_as_it_came_as_an_attachment_in_a_sandbox(self, document):
        answer = door("reviewer").get(reverse("admin:document_file", args=[document.uuid]))

        assert answer.getvalue() == picture()
        assert answer["Content-Length"] == str(len(picture()))
        assert answer["Content-Type"] == "image/png"
        assert answer["Content-Disposition"].startswith("attachment; filename*=utf-8''")
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer["Content-Security-Policy"]
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert "no-store" in answer["Cache-Control"]
        event = AuditEvent.objects.get(action="document.download")
        assert event.object_id == document.application.number
        assert event.actor.startswith("user:")

    def test_is_shown_in_pages_only_as_it_was_drawn_anew(self, document):
        answer = door("reviewer").get(preview_of(document.uuid))

        assert answer["Content-Type"] == "image/jpeg"
        assert answer.content.startswith(b"\xff\xd8\xff")
        assert "sandbox" in answer["Content-Security-Policy"]
        assert AuditEvent.objects.filter(action="document.look").exists()

    @pytest.mark.parametrize("address_of", [file_of, preview_of])
    def test_is_not_for_everybody(self, document, address_of):
        address = address_of(document.uuid)

        assert door().get(address).status_code == 403
        assert Client().get(address).status_code == 302
        assert door("reviewer").post(address).status_code == 405
        unknown = address_of("00000000-0000-4000-8000-000000000000")
        assert door("auditor").get(unknown).status_code == 404
        assert not AuditEvent.objects.filter(action__startswith="document.d").exists()

    @pytest.mark.parametrize(("address_of", "page"), [(file_of, 0), (preview_of, 1)])
    def test_that_is_damaged_is_refused_in_words_and_recorded_once(
        self, document, address_of, page
    ):
        spoil(document, page)
        client = door("reviewer")

        for _again in range(2):
            answer = client.get(address_of(document.uuid))
            assert answer.status_code == 409
            text = answer.content.decode()
            assert "damaged" in text
            back = reverse("admin:merchants_application_change", args=[document.application_id])
            assert f'href="{back}"' in text

        assert AuditEvent.objects.filter(action="document.damaged").count() == 1
        assert not AuditEvent.objects.filter(action="document.download").exists()
        engineer: User = UserFactory(is_staff=True)
        engineer.groups.set(Group.objects.filter(name="engineer"))
        (item,) = work_items.damaged_papers(engineer)
        assert item.count == 1

    def test_has_no_picture_of_a_page_that_it_has_not(self, document):
        for page in (0, 2, 10**6):
            address = reverse("admin:document_preview", args=[document.uuid, page])
            assert door("reviewer").get(address).status_code == 404


class TestSeveralFiles:
    """Each bad file of a form is named beside its field; one that was slow ends the looking."""

    @staticmethod
    def send(**files: list[tuple[str, bytes]]) -> tuple[str, int]:
        user: User = UserFactory(is_staff=True, language="en")
        user.groups.set(Group.objects.filter(name="operator"))
        client = Client()
        client.force_login(user)
        application = applications.begin(maker=user, at=AT)
        sent: dict[str, Any] = {"revision": str(application.revision)} | {
            f"document-{kind}": [SimpleUploadedFile(name, content) for name, content in of]
            for kind, of in files.items()
        }
        answer = client.post(reverse("admin:application_form", args=[application.id]), sent)
        return answer.content.decode(), Document.objects.filter(application=application).count()

    def test_are_judged_one_by_one(self):
        page, stored = self.send(
            LICENCE=[("a.svg", b"<svg/>"), ("b.png", picture()), ("c.pdf", b"%PDF-")]
        )

        assert "a.svg: Only JPEG, PNG and PDF files are taken." in page
        assert "c.pdf: The PDF is cut off" in page
        assert stored == 1

    def test_end_with_one_that_was_too_slow(self, monkeypatch):
        monkeypatch.setattr(confined, "run", lambda *_words, **_more: confined.Told(b"", False))

        page, stored = self.send(
            LICENCE=[("a.png", picture()), ("slow.pdf", pdf_of(b""))], OTHER=[("b.png", picture())]
        )

        assert "slow.pdf: The PDF takes too much time or memory to read" in page
        assert "b.png: Other files are still being looked through." in page
        assert stored == 1

    def test_are_not_looked_at_when_there_is_no_room_for_them(self, document, monkeypatch):
        monkeypatch.setattr(documents, "MOST", 1)
        monkeypatch.setattr(documents.document_content, "inspect", None)  # nobody asks it

        with pytest.raises(documents.TooManyDocuments):
            documents.add(
                application_id=document.application_id, kind="LICENCE", file=io.BytesIO(b"other"),
                file_name="b.png", maker=document.uploaded_by, at=AT,
            )  # fmt: skip
