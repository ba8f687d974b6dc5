"""Who may decide in another's stead, on what, and for how long."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from foundation.models.user import Person


class Delegation(models.Model):
    """
    One permission of a checker, lent to another person for a dated span (AP-8).

    Reference data. It comes from an approval, which it names; only its end can be brought forward.
    The delegate decides under his own name. Half-open: `starts_at <= now < ends_at`.
    """

    delegator = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("delegator")
    )
    delegator_person = models.ForeignKey(Person, models.PROTECT, related_name="+")
    delegate = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("delegate")
    )
    delegate_person = models.ForeignKey(Person, models.PROTECT, related_name="+")
    permission = models.CharField(_("right"), max_length=150)
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    ended_at = models.DateTimeField(_("ended early at"), null=True)
    reason = models.TextField(_("reason"))
    approval_id = models.BigIntegerField(_("approval"), unique=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "foundation_delegation"
        verbose_name = _("delegation")
        verbose_name_plural = _("delegations")
        permissions = [("approve_delegation", _("Can approve delegations"))]
        constraints = [
            models.CheckConstraint(
                condition=~Q(delegator_person=F("delegate_person")), name="delegation_two_persons"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="delegation_has_a_span"
            ),
            models.UniqueConstraint(
                fields=["id", "delegate", "delegator_person"], name="delegation_lends"
            ),
        ]
        indexes = [models.Index(fields=["delegate", "permission"], name="delegation_to")]

    def __str__(self) -> str:
        return f"{self.delegator} → {self.delegate}"

    def in_force(self, at: datetime) -> bool:
        """Return whether it holds at that moment."""
        ended = self.ends_at if self.ended_at is None else min(self.ends_at, self.ended_at)
        return self.starts_at <= at < ended
