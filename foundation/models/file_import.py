"""Sheets that staff bring in: kept from the check to the confirmation, logged for good."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation.fields import EncryptedTextField
from foundation.models.fact import Fact


class FileImport(Fact):
    """
    One upload that was found good. It lies in the house's book.

    Its rows are kept encrypted until it is confirmed, discarded or out of time, and then forgotten;
    who brought which file, when, and what came of it stays.
    """

    class State(models.TextChoices):
        CHECKED = "CHECKED", _("waits for confirmation")
        CONFIRMED = "CONFIRMED", _("confirmed")
        DISCARDED = "DISCARDED", _("discarded")
        EXPIRED = "EXPIRED", _("out of time")

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=50)
    file_name = models.CharField(_("file name"), max_length=100)
    sha256 = models.CharField(_("hash of the file"), max_length=64)
    size_bytes = models.PositiveIntegerField(_("size in bytes"))
    rows = models.PositiveIntegerField(_("rows"))
    new = models.PositiveIntegerField(_("new rows"))
    changed = models.PositiveIntegerField(_("changed rows"))
    content = EncryptedTextField(_("content"), null=True)
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.CHECKED)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("who")
    )
    made_at = models.DateTimeField(_("when"))
    expires_at = models.DateTimeField(_("expires at"))
    closed_at = models.DateTimeField(_("closed at"), null=True)
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "foundation_file_import"
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        constraints = [
            models.UniqueConstraint(fields=["merchant", "uuid"], name="file_import_uuid"),
            models.CheckConstraint(
                condition=Q(state="CHECKED", content__isnull=False, closed_at=None)
                | ~Q(state="CHECKED") & Q(content__isnull=True, closed_at__isnull=False),
                name="file_import_forgets",
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], condition=Q(state="CHECKED"), name="file_import_waiting"
            )
        ]

    def __str__(self) -> str:
        return self.file_name
