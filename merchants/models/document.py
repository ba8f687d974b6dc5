"""Papers that belong to an application: what they are, and their bytes in encrypted parts."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation.fields import EncryptedBinaryField
from foundation.models import Fact, FactForeignKey
from merchants.models.application import Application


class Document(Fact):
    """
    One file. Its bytes never change and stay for good; while the application is open it may be
    taken off (`removed_at`), for versions that were submitted still name it.

    `uuid` is its name in addresses, `file_name` what it was called, for people; `sha256` is that of
    its plain bytes. The bytes lie encrypted in `part_count` parts, and beside them pictures made
    anew of its first `preview_count` pages, which alone are ever shown inside a page. `content` and
    `preview` hold papers from before, as they are, until `encrypt_documents` has been there.
    `damaged_at`: since when its parts cannot be read.
    """

    class Kind(models.TextChoices):
        LICENCE = "LICENCE", _("business licence")
        IDENTITY_FRONT = "IDENTITY_FRONT", _("identity card, front")
        IDENTITY_BACK = "IDENTITY_BACK", _("identity card, back")
        BANK_CARD = "BANK_CARD", _("bank card or account permit")
        SITE_PHOTO = "SITE_PHOTO", _("photo of the site")
        CONTRACT = "CONTRACT", _("signed contract")
        FILING = "FILING", _("prepaid licence or filing")
        OTHER = "OTHER", _("other paper")

    application = FactForeignKey(Application, models.PROTECT, related_name="documents")
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=14, choices=Kind)
    file_name = models.CharField(_("file name"), max_length=100)
    content_type = models.CharField(_("type"), max_length=20)
    content = models.BinaryField(_("content"), null=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    size_bytes = models.PositiveIntegerField(_("size"))
    pages = models.PositiveSmallIntegerField(_("pages"), default=1)
    preview = models.BinaryField(_("preview"), null=True)
    part_count = models.PositiveSmallIntegerField(_("parts"), null=True)
    preview_count = models.PositiveSmallIntegerField(_("pages shown"), default=0)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("uploaded by")
    )
    uploaded_at = models.DateTimeField(_("uploaded at"))
    removed_at = models.DateTimeField(_("taken off at"), null=True)
    damaged_at = models.DateTimeField(_("damaged since"), null=True)

    class Meta:
        db_table = "merchants_document"
        verbose_name = _("document")
        verbose_name_plural = _("documents")
        constraints = [
            models.UniqueConstraint(fields=["merchant", "uuid"], name="document_uuid"),
            models.UniqueConstraint(
                fields=["merchant", "application", "kind", "sha256"],
                condition=Q(removed_at=None),
                name="document_once",
            ),
            models.CheckConstraint(
                condition=Q(content_type__in=["image/jpeg", "image/png", "application/pdf"]),
                name="document_type",
            ),
        ]
        indexes = [
            models.Index(
                fields=["damaged_at"],
                condition=Q(damaged_at__isnull=False),
                name="document_damaged",
            ),
            models.Index(fields=["id"], condition=Q(part_count=None), name="document_plain"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.file_name}"

    @property
    def shown_pages(self) -> range:
        """The pages of which there is a picture, from 1."""
        from_before = self.part_count is None and self.content_type != "application/pdf"
        return range(1, (1 if from_before else self.preview_count) + 1)


class DocumentPart(Fact):
    """
    A piece of a paper's bytes (`page` 0), or the picture of one of its pages, encrypted.

    Written with its paper and never changed nor deleted; only its cipher is written anew when keys
    rotate. `uuid` is made of the paper and the place, so that it decrypts nowhere else
    (foundation/pieces.py, docs/decisions/0014-files-at-rest.md).
    """

    document = FactForeignKey(Document, models.PROTECT, related_name="parts")
    page = models.PositiveSmallIntegerField(_("page"))
    position = models.PositiveSmallIntegerField(_("position"))
    uuid = models.UUIDField(editable=False)
    content = EncryptedBinaryField(_("content"))

    class Meta:
        db_table = "merchants_document_part"
        verbose_name = _("part of a document")
        verbose_name_plural = _("parts of documents")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "document", "page", "position"], name="document_part"
            )
        ]

    def __str__(self) -> str:
        return f"{self.document_id}/{self.page}/{self.position}"
