"""Lists that staff take out: asked for, written by a worker, handed out, deleted; logged."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation.fields import EncryptedBinaryField
from foundation.models.fact import Fact, FactForeignKey


class FileExport(Fact):
    """
    One export: who asked for what, by which filter, how many rows it had. In the house's book.

    The file is deleted at `expires_at`; this row stays (S1-50). What is SENT at once (a merchant's
    statement) is never kept; without `rows` its end was not sent.
    """

    class State(models.TextChoices):
        REQUESTED = "REQUESTED", _("being written")
        READY = "READY", _("ready to download")
        FAILED = "FAILED", _("failed")
        DELETED = "DELETED", _("deleted")
        SENT = "SENT", _("sent at once")

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=50)
    filter = models.JSONField(_("filter"), default=dict)
    format = models.CharField(_("format"), max_length=4)
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.REQUESTED)
    rows = models.PositiveIntegerField(_("rows"), null=True)
    size_bytes = models.PositiveBigIntegerField(_("size in bytes"), null=True)
    sha256 = models.CharField(_("hash of the file"), max_length=64, blank=True)
    downloads = models.PositiveIntegerField(_("downloads"), default=0)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("who")
    )
    requested_at = models.DateTimeField(_("when"))
    expires_at = models.DateTimeField(_("expires at"))
    closed_at = models.DateTimeField(_("closed at"), null=True)
    message = models.CharField(_("message"), max_length=200, blank=True)
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "foundation_file_export"
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="READY")
                | Q(rows__isnull=False, size_bytes__isnull=False) & ~Q(sha256=""),
                name="file_export_counted",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["REQUESTED", "READY"]) | Q(closed_at__isnull=False),
                name="file_export_closed_when",
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                condition=Q(state__in=["REQUESTED", "READY"]),
                name="file_export_open",
            ),
            models.Index(fields=["merchant", "requested_by"], name="file_export_of_person"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class FileExportPart(Fact):
    """
    A piece of an export's file, encrypted (foundation/pieces.py): written once, deleted with the
    others; only its cipher is written anew when keys rotate.
    """

    export = FactForeignKey(FileExport, models.PROTECT, related_name="parts")
    position = models.PositiveIntegerField(_("position"))
    uuid = models.UUIDField(editable=False)
    content = EncryptedBinaryField(_("content"))

    class Meta:
        db_table = "foundation_file_export_part"
        verbose_name = _("piece of an export")
        verbose_name_plural = _("pieces of exports")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "export", "position"], name="file_export_part"
            )
        ]

    def __str__(self) -> str:
        return f"{self.export_id}/{self.position}"
