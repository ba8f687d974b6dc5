"""The merchant: whose book it is."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Merchant(models.Model):
    """
    A merchant, or the house itself (kind HOUSE, one row), whose book holds what belongs to no
    merchant.

    Reference data: small, unique as a whole, without balances or counters. `id` is the routing
    number that outward numbers carry; `merchant_no` is what people and files call it.
    """

    class Kind(models.TextChoices):
        MERCHANT = "MERCHANT", _("merchant")
        HOUSE = "HOUSE", _("the house")

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", _("active")
        RESTRICTED = "RESTRICTED", _("restricted")
        FROZEN = "FROZEN", _("frozen")
        CLOSING = "CLOSING", _("closing")
        CLOSED = "CLOSED", pgettext_lazy("merchant", "closed")

    merchant_no = models.CharField(_("merchant number"), max_length=64, unique=True)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind, default=Kind.MERCHANT)
    name = models.CharField(_("merchant name"), max_length=200)
    registration_no = models.CharField(_("registration number"), max_length=64, blank=True)
    city = models.CharField(_("city"), max_length=100, blank=True)
    region = models.CharField(_("region"), max_length=100, blank=True)
    country = models.CharField(_("country"), max_length=2, default="CN")
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.ACTIVE)
    # Of its last move (MerchantTransition); empty while it has made none.
    status_sequence = models.PositiveIntegerField(_("moves"), null=True, editable=False)
    # What the file or application asked for; what is in force stands in settlement's schedules.
    declared_schedule = models.CharField(_("declared schedule"), max_length=12, default="T1")
    # By whom it came, as the last line of MerchantAgent says (docs/rules/agents.md).
    agent = models.ForeignKey(
        "merchants.Agent",
        models.PROTECT,
        related_name="brought",
        null=True,
        verbose_name=pgettext_lazy("kind of agent", "agent"),
    )
    created_at = models.DateTimeField(_("created at"))
    # The approved application whose content is in force; empty for one that a file brought in. No
    # key: what a merchant refers to lies in the house's book (sql/application_change.sql).
    stands_on = models.BigIntegerField(_("application in force"), null=True, editable=False)

    class Meta:
        db_table = "merchants_merchant"
        verbose_name = _("merchant")
        verbose_name_plural = _("merchants")
        constraints = [
            models.UniqueConstraint(
                fields=["kind"], condition=Q(kind="HOUSE"), name="merchant_one_house"
            ),
            models.CheckConstraint(condition=~Q(merchant_no=""), name="merchant_no_not_empty"),
            models.CheckConstraint(
                condition=Q(kind="MERCHANT") | Q(agent=None), name="merchant_house_has_no_agent"
            ),
        ]
        indexes = [
            models.Index(
                fields=["registration_no"],
                condition=~Q(registration_no=""),
                name="merchant_registration",
            ),
            models.Index(
                fields=["status", "id"], condition=~Q(status="ACTIVE"), name="merchant_not_active"
            ),
        ]
        permissions = [
            ("propose_merchantstate", _("Can propose to freeze, restrict and restore merchants")),
            ("approve_merchantstate", _("Can decide to freeze, restrict and restore merchants")),
            ("freeze_at_once", _("Can freeze merchants at once, before another person decides")),
            ("import_merchant", _("Can import merchants")),
            ("export_merchant", _("Can export merchants")),
            ("approve_merchantimport", _("Can approve imports of merchants")),
        ]

    def __str__(self) -> str:
        if self.kind == self.Kind.HOUSE:
            return f"{self.merchant_no} {self.get_kind_display()}"
        return f"{self.merchant_no} {self.name}"
