"""For which merchants a partner's program may act."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact, FactForeignKey
from merchants.models.api_key import ApiKey
from merchants.models.merchant import Merchant


class PartnerGrant(Fact):
    """
    A merchant for whom a partner's key may act; without a row it may act for nobody (KEY-6).

    It lies where the key lies, in the house's book. Switched off, never deleted.
    """

    key = FactForeignKey(ApiKey, models.PROTECT, related_name="grants", verbose_name=_("API key"))
    acts_for = models.ForeignKey(
        Merchant, models.PROTECT, related_name="+", verbose_name=_("acts for")
    )
    active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "merchants_partner_grant"
        verbose_name = _("partner's merchant")
        verbose_name_plural = _("partners' merchants")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "key", "acts_for"], name="partner_grant_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.key_id} {self.acts_for_id}"
