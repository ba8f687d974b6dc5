"""Papers of a proposal: told by their bytes, frozen with it, whole or not at all."""

from __future__ import annotations

import hashlib
import io
import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from pypdf import PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from foundation import sql
from foundation.models import Approval, ApprovalAttachment, User
from foundation.services import approval as approvals
from foundation.services.attachment import (
    MOST_BYTES,
    AttachmentRefused,
    NewAttachment,
    accept,
)
from tests.factories.application import picture
from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory
from tests.foundation.attaching import NOON, propose

PNG, JPEG = picture(), picture("JPEG")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("papers_action")]


def _script() -> DictionaryObject:
    action = {"/S": NameObject("/JavaScript"), "/JS": TextStringObject("app.alert(1)")}
    return DictionaryObject({NameObject(name): value for name, value in action.items()})


def pdf(**root: Any) -> bytes:
    """Return a PDF of one page, with more in its root."""
    writer, held = PdfWriter(), io.BytesIO()
    writer.add_blank_page(200, 200)
    for name, value in root.items():
        writer.root_object[NameObject(f"/{name}")] = value
    writer.write(held)
    return held.getvalue()


PDF = pdf()


def decide(one: Approval, seen: str = "") -> Approval:
    return approvals.decide(
        approval_id=one.id, merchant_id=one.merchant_id, checker=UserFactory(), approve=True,
        reason="", seen_sha256=seen or one.content_sha256, at=NOON,
    )  # fmt: skip


class TestAccept:
    @pytest.mark.parametrize(
        ("name", "content", "becomes", "kind"),
        [
            ("合同.PDF", PDF, "合同.pdf", "application/pdf"),
            ("../../etc/passwd", PDF, "passwd.pdf", "application/pdf"),
            ("C:\\x\\scan.exe", PNG, "scan.png", "image/png"),
            ('a"b\r\nCookie: x.jpg', JPEG, "a_b_Cookie_ x.jpg", "image/jpeg"),
            ("...", "说明".encode(), "paper.txt", "text/plain"),
            ("n" * 300 + ".txt", b"x", "n" * 96 + ".txt", "text/plain"),
        ],
    )  # fmt: skip
    def test_tells_the_kind_by_the_bytes_and_names_it_safely(self, name, content, becomes, kind):
        (paper,) = accept([NewAttachment(name, content)])

        assert (paper.name, paper.media_type) == (becomes, kind)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"<html><script>alert(1)</script>",
            b"  <?xml version='1.0'?><svg onload='x'/>",
            b"hello <script>alert(1)</script>",
            b"GIF89a\x01\x00\x01\x00",
            b"PK\x03\x04....",
            b"MZ\x90\x00",
            b"\xff\xfe<\x00h\x00",
            b"x" * (MOST_BYTES + 1),
            b"%PDF-1.7\n1 0 obj\n",
            PDF + b"<html><script>alert(1)</script>",
            pdf(OpenAction=_script()),
            PNG[:60],
            PNG + b"<svg onload='x'/>",
            JPEG + b"PK\x03\x04",
            picture("PNG", (10_000, 10_000)),
        ],
        ids=range(16),
    )
    def test_refuses_everything_else(self, content):
        with pytest.raises(AttachmentRefused):
            accept([NewAttachment("paper.pdf", content)])

    def test_refuses_too_many(self):
        with pytest.raises(AttachmentRefused):
            accept([NewAttachment("a.pdf", PDF)] * 6)


class TestFrozen:
    def test_is_part_of_what_is_decided_on(self, merchant_id):
        one = propose(merchant_id, NewAttachment("a.pdf", PDF))

        assert one.attachments == [
            {
                "name": "a.pdf",
                "media_type": "application/pdf",
                "size_bytes": len(PDF),
                "sha256": hashlib.sha256(PDF).hexdigest(),
            }
        ]
        shown = one.content_sha256
        one.attachments = []
        assert approvals.content_sha256(one) != shown
        assert decide(one, seen=shown).state == "APPROVED"

    def test_nothing_is_proposed_when_a_paper_is_refused(self, merchant_id):
        with pytest.raises(AttachmentRefused):
            propose(merchant_id, NewAttachment("a.pdf", PDF), NewAttachment("b.pdf", b"<svg>"))

        assert not Approval.objects.exists()

    def insert(self, one: Approval, **changes: Any) -> None:
        values = {
            "merchant_id": one.merchant_id, "approval_id": one.id, "position": 0, "name": "a.pdf",
            "media_type": "application/pdf", "content": b"k:" + bytes(28) + PDF, "actor": "x",
            "request_id": "x", "uuid": uuid.uuid4(),
        } | changes  # fmt: skip
        marks = ", ".join(f"%({name})s" for name in values)
        with transaction.atomic():
            sql.execute(
                f"INSERT INTO foundation_approval_attachment ({', '.join(values)})"
                f" VALUES ({marks})",
                values,
            )

    def test_the_database_takes_no_paper_that_was_not_named(self, merchant_id):
        one = propose(merchant_id)
        with pytest.raises(DatabaseError, match="approval_paper_unknown"):
            self.insert(one)

    @pytest.mark.parametrize(
        "changes",
        [
            {"content": PDF},
            {"content": b"k:" + bytes(28) + PDF[1:] + bytes(300)},
            {"name": "b.pdf"},
            {"media_type": "text/html"},
            {"position": 1},
        ],
    )
    def test_the_database_compares_what_it_can_see(self, merchant_id, changes):
        one = propose(merchant_id, NewAttachment("a.pdf", PDF))
        with pytest.raises(DatabaseError, match="approval_paper_unknown"):
            self.insert(one, **changes)

    def test_the_database_takes_no_decision_while_a_paper_is_missing(
        self, merchant_id, monkeypatch
    ):
        monkeypatch.setattr("foundation.services.attachment.store", lambda *_: None)
        one = propose(merchant_id, NewAttachment("a.pdf", PDF))

        with pytest.raises(DatabaseError, match="approval_papers_missing"):
            decide(one)

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE foundation_approval_attachment SET name = 'b.pdf'",
            "UPDATE foundation_approval_attachment SET uuid = gen_random_uuid()",
            "DELETE FROM foundation_approval_attachment",
        ],
    )
    def test_is_never_taken_back(self, merchant_id, statement):
        propose(merchant_id, NewAttachment("a.pdf", PDF))
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            sql.execute(statement)


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


class TestDownload:
    def address(self, one: Approval, position: int = 0) -> str:
        return reverse("admin:foundation_approval_paper", args=[one.pk, position])

    def test_is_a_file_to_keep_and_never_a_page(self, merchant_id):
        one = propose(merchant_id, NewAttachment("a.pdf", PDF))
        answer = client_of(UserFactory(is_staff=True, is_superuser=True)).get(self.address(one))

        assert answer.content == PDF
        assert answer["Content-Disposition"] == 'attachment; filename="a.pdf"'
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert "no-store" in answer["Cache-Control"]

    def test_is_for_who_may_see_proposals(self, merchant_id):
        one = propose(merchant_id, NewAttachment("a.pdf", PDF))
        boss = client_of(UserFactory(is_staff=True, is_superuser=True))

        assert client_of(UserFactory(is_staff=True)).get(self.address(one)).status_code == 403
        assert client_of(UserFactory()).get(self.address(one)).status_code == 302
        assert boss.get(self.address(one, 1)).status_code == 404
        assert boss.post(self.address(one)).status_code == 405

    def test_is_listed_with_its_hash_and_read_without_its_bytes(
        self, merchant_id, django_assert_max_num_queries
    ):
        one = propose(merchant_id, NewAttachment("a.pdf", PDF))
        client = client_of(UserFactory(is_staff=True, is_superuser=True))
        page = reverse("admin:foundation_approval_change", args=[one.pk])

        with django_assert_max_num_queries(21):
            text = client.get(page).content.decode()

        assert hashlib.sha256(PDF).hexdigest() in text
        assert self.address(one) in text
        assert ApprovalAttachment.objects.count() == 1


class TestAStep:
    def test_takes_papers_and_refuses_bad_ones_by_name(self, monkeypatch):
        monkeypatch.undo()  # the product's own kinds of proposals
        account = BankAccountFactory(status="UNVERIFIED", approved_payee=False, verified_at=None)
        client = client_of(UserFactory(is_staff=True, is_superuser=True, language="en"))
        address = reverse("admin:merchants_bankaccount_step", args=[account.pk, "propose"])

        bad = SimpleUploadedFile("letter.pdf", b"<svg onload=alert(1)>")
        said = client.post(address, {"reason": "r", "attachments": [bad]}, follow=True)
        assert "letter.pdf is no PDF, PNG, JPEG or plain text." in said.content.decode()
        assert not Approval.objects.exists()

        good = SimpleUploadedFile("letter.pdf", PDF)
        client.post(address, {"reason": "r", "attachments": [good]})
        assert [paper["name"] for paper in Approval.objects.get().attachments] == ["letter.pdf"]

    def test_does_nothing_without_a_paper_that_was_too_large_to_be_read(
        self, monkeypatch, settings
    ):
        monkeypatch.undo()
        settings.UPLOAD_MAX_FILE_BYTES = 100_000
        account = BankAccountFactory(status="UNVERIFIED", approved_payee=False, verified_at=None)
        client = client_of(UserFactory(is_staff=True, is_superuser=True, language="en"))
        address = reverse("admin:merchants_bankaccount_step", args=[account.pk, "propose"])

        huge = SimpleUploadedFile("letter.pdf", b"%PDF-1.7 " + b"0" * 200_000)
        said = client.post(address, {"reason": "r", "attachments": [huge]}, follow=True)

        assert "A file is too large." in said.content.decode()
        assert not Approval.objects.exists()
