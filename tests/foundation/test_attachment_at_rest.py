"""Papers of a proposal lie encrypted, and what was spoilt is not handed out."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from foundation import sql
from foundation.models import Approval, ApprovalAttachment
from foundation.services import attachment as attachments
from foundation.services import key_rotation
from foundation.services.attachment import NewAttachment
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory
from tests.foundation.attaching import propose
from tests.foundation.test_crypto import KEYS

TEXT = "我们同意 we agree to this\n".encode()
NEW_KEY = next(iter(KEYS.values()))

pytestmark = pytest.mark.usefixtures("papers_action")


def stored() -> bytes:
    return bytes(sql.rows("SELECT content FROM foundation_approval_attachment")[0]["content"])


def paper(one: Approval) -> bytes:
    found = attachments.read(merchant_id=one.merchant_id, approval_id=one.id, position=0)
    assert found is not None
    return found.content


@pytest.mark.django_db
class TestAtRest:
    def test_lies_encrypted_and_is_read_as_it_was(self, merchant_id):
        one = propose(merchant_id, NewAttachment("a.txt", TEXT))

        assert TEXT not in stored()
        assert paper(one) == TEXT

    def test_is_written_again_when_keys_rotate(self, merchant_id, settings):
        one = propose(merchant_id, NewAttachment("a.txt", TEXT))
        before = stored()
        settings.FIELD_KEYS = {"new": NEW_KEY, **settings.FIELD_KEYS}

        key_rotation.rotate()

        assert stored() != before
        assert stored().startswith(b"new:")
        assert paper(one) == TEXT

    def test_that_was_spoilt_is_not_handed_out(self, merchant_id):
        one = propose(merchant_id, NewAttachment("a.txt", TEXT))
        sql.execute(
            "UPDATE foundation_approval_attachment"
            " SET content = set_byte(content, octet_length(content) - 1,"
            " 255 - get_byte(content, octet_length(content) - 1))"
        )

        with pytest.raises(attachments.AttachmentDamaged):
            paper(one)

        boss = Client()
        boss.force_login(UserFactory(is_staff=True, is_superuser=True))
        assert (
            boss.get(reverse("admin:foundation_approval_paper", args=[one.pk, 0])).status_code
            == 409
        )

    def test_that_is_another_paper_is_not_handed_out(self, merchant_id):
        one = propose(merchant_id, NewAttachment("a.txt", TEXT))
        kept = ApprovalAttachment.objects.get()
        kept.content = TEXT[:-1] + b"?"
        kept.save(update_fields=["content"])

        with pytest.raises(attachments.AttachmentDamaged):
            paper(one)

    def test_cannot_be_left_plain(self, merchant_id):
        propose(merchant_id, NewAttachment("a.txt", TEXT))
        with pytest.raises(DatabaseError, match="approval_paper_unknown"), transaction.atomic():
            sql.execute("UPDATE foundation_approval_attachment SET content = %s", [TEXT])


def test_that_lay_plain_is_encrypted_by_the_migration(superuser):
    merchant = MerchantFactory()
    one = propose(merchant.id, NewAttachment("a.txt", TEXT))
    superuser.execute("UPDATE foundation_approval_attachment SET content = %s", [TEXT])
    seal = import_module("foundation.migrations.0034_seal_attachments").seal

    for _again in range(2):
        seal(apps, connection.schema_editor())
        assert stored() != TEXT
        assert paper(one) == TEXT
