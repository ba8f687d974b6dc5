"""Papers that belong to an application, as bytes with their hash."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact, FactForeignKey
from merchants.models.application import Application


class Document(Fact):
    """
    One file. Its bytes never change and stay for good; while the application is open it may be
    taken off (`removed_at`), for versions that were submitted still name it.

    `uuid` is its name in addresses, `file_name` what it was called, for people. `preview` is a
    picture made anew from what the bytes showed; it alone is ever shown inside a page.
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
    content = models.BinaryField(_("content"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    size_bytes = models.PositiveIntegerField(_("size"))
    pages = models.PositiveSmallIntegerField(_("pages"), default=1)
    preview = models.BinaryField(_("preview"), null=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("uploaded by")
    )
    uploaded_at = models.DateTimeField(_("uploaded at"))
    removed_at = models.DateTimeField(_("taken off at"), null=True)

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

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.file_name}"
