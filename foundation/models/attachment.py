"""Papers that belong to a proposal."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from foundation.fields import EncryptedBinaryField
from foundation.models.approval import Approval
from foundation.models.fact import Fact, FactForeignKey


class ApprovalAttachment(Fact):
    """
    One paper of a proposal, whole and encrypted. It stays; only its cipher is written anew when
    keys rotate.

    The proposal names the hash of its plain bytes, so the paper is part of what is decided on: who
    reads it gets these bytes or none (docs/decisions/0014-files-at-rest.md).
    """

    approval = FactForeignKey(Approval, models.PROTECT, related_name="papers")
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    position = models.PositiveSmallIntegerField(_("position"))
    name = models.CharField(_("file name"), max_length=100)
    media_type = models.CharField(_("media type"), max_length=50)
    content = EncryptedBinaryField(_("content"))
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "foundation_approval_attachment"
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "approval", "position"], name="approval_attachment_once"
            )
        ]

    def __str__(self) -> str:
        return self.name
