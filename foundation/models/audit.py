"""What people and programs did: acts, and every change of configuration and people."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from foundation.models.fact import Fact


class AuditEvent(Fact):
    """
    One act: who, when, from where, on what, before and after. Append-only.

    Acts that touch no merchant lie in the house's book. The time is the database's clock.
    """

    action = models.CharField(_("action"), max_length=100)
    object_kind = models.CharField(_("kind of object"), max_length=50)
    object_id = models.CharField(_("object"), max_length=100)
    before = models.JSONField(_("before"), null=True)
    after = models.JSONField(_("after"), null=True)
    note = models.TextField(_("note"), blank=True)
    occurred_at = models.DateTimeField(_("when"), db_default=Now())
    actor = models.CharField(_("who"), max_length=100)
    origin = models.CharField(_("from where"), max_length=100, blank=True)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "foundation_audit_event"
        verbose_name = _("audit event")
        verbose_name_plural = _("audit trail")
        indexes = [
            models.Index(fields=["-occurred_at", "-id"], name="audit_newest"),
            models.Index(fields=["merchant", "object_kind", "object_id"], name="audit_object"),
            models.Index(fields=["request_id"], name="audit_request"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object_kind} {self.object_id}"


class History(models.Model):
    """
    One change of one row of a configuration or people table, written by a trigger.

    The product's role may read it and nothing else. Values that must not be copied (password
    hashes) stand as "***". Reference data: tables of facts carry actor and request id themselves.
    """

    table = models.CharField(_("table"), max_length=63)
    row_id = models.CharField(_("row"), max_length=100)
    operation = models.CharField(_("operation"), max_length=6)
    before = models.JSONField(_("before"), null=True)
    after = models.JSONField(_("after"), null=True)
    changed_at = models.DateTimeField(_("when"), db_default=Now())
    actor = models.CharField(_("who"), max_length=100)
    origin = models.CharField(_("from where"), max_length=100, blank=True, db_default="")
    request_id = models.CharField(_("request id"), max_length=64, blank=True)

    class Meta:
        db_table = "foundation_history"
        verbose_name = _("change")
        verbose_name_plural = _("history")
        indexes = [
            models.Index(fields=["table", "row_id", "-id"], name="history_row"),
            models.Index(fields=["-changed_at", "-id"], name="history_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.table} {self.row_id}"
