"""How papers leave the house: as attachments in a sandbox, to who may see them, on record."""

from __future__ import annotations

import io

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from foundation.models import AuditEvent, User
from merchants.models import Document
from merchants.services import application as applications
from merchants.services import document as documents
from tests.factories.application import AT, picture
from tests.factories.foundation import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def document() -> Document:
    maker = UserFactory(is_staff=True)
    application = applications.begin(maker=maker, at=AT)
    return documents.add(
        application_id=application.id, kind="LICENCE", file=io.BytesIO(picture()),
        file_name='营业"执照.exe', maker=maker, at=AT,
    )  # fmt: skip


def door(*roles: str) -> Client:
    user: User = UserFactory(is_staff=True, language="en")
    user.groups.set(Group.objects.filter(name__in=roles))
    client = Client()
    client.force_login(user)
    return client


class TestAPaper:
    def test_goes_out_as_it_came_as_an_attachment_in_a_sandbox(self, document):
        answer = door("reviewer").get(reverse("admin:document_file", args=[document.uuid]))

        assert answer.content == picture()
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
        answer = door("reviewer").get(reverse("admin:document_preview", args=[document.uuid]))

        assert answer["Content-Type"] == "image/jpeg"
        assert answer.content.startswith(b"\xff\xd8\xff")
        assert "sandbox" in answer["Content-Security-Policy"]
        assert AuditEvent.objects.filter(action="document.look").exists()

    @pytest.mark.parametrize("name", ["document_file", "document_preview"])
    def test_is_not_for_everybody(self, document, name):
        address = reverse(f"admin:{name}", args=[document.uuid])

        assert door().get(address).status_code == 403
        assert Client().get(address).status_code == 302
        assert door("reviewer").post(address).status_code == 405
        unknown = reverse(f"admin:{name}", args=["00000000-0000-4000-8000-000000000000"])
        assert door("auditor").get(unknown).status_code == 404
        assert not AuditEvent.objects.filter(action__startswith="document.d").exists()
