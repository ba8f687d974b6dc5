"""Invitations of people to act for a merchant."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from foundation.models import Fact, FactForeignKey
from merchants.models.custom_role import CustomRole
from merchants.models.membership import Membership


class Invitation(Fact):
    """
    One person, by e-mail, into one role. Good once, until it expires or is withdrawn.

    The link in the e-mail is signed over `uuid` and `version`, and stored nowhere; a new version
    ends the links of before. To whom and into which role never changes (a trigger).
    """

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail"))
    name = models.CharField(pgettext_lazy("person", "name"), max_length=150)
    role = models.CharField(_("role"), max_length=8, choices=Membership.Role)
    custom_role = FactForeignKey(
        CustomRole,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("custom role"),
    )
    language = models.CharField(_("language"), max_length=10, default="zh-hans")
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("invited by"),
    )
    version = models.PositiveIntegerField(_("sent how often"), default=1)
    invited_at = models.DateTimeField(_("invited at"))
    expires_at = models.DateTimeField(_("expires at"))
    accepted_at = models.DateTimeField(_("accepted at"), null=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("accepted by"),
    )
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True)

    class Meta:
        db_table = "merchants_invitation"
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [
            models.UniqueConstraint(fields=["merchant", "uuid"], name="invitation_uuid"),
            models.UniqueConstraint(
                fields=["merchant", "email"],
                condition=Q(accepted_at__isnull=True, withdrawn_at__isnull=True),
                name="invitation_one_open",
            ),
            models.CheckConstraint(
                condition=Q(accepted_at__isnull=True, accepted_by__isnull=True)
                | Q(accepted_at__isnull=False, accepted_by__isnull=False,
                    withdrawn_at__isnull=True),
                name="invitation_ends_once",
            ),
            models.CheckConstraint(
                condition=Q(accepted_at__isnull=True) | Q(accepted_at__lt=models.F("expires_at")),
                name="invitation_accepted_in_time",
            ),
            models.CheckConstraint(
                condition=Q(role="CUSTOM", custom_role__isnull=False)
                | (~Q(role="CUSTOM") & Q(custom_role__isnull=True)),
                name="invitation_role_named",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.email} {self.get_role_display()}"

    @property
    def role_name(self) -> str:
        """What people call the role."""
        return self.custom_role.name if self.custom_role else str(self.get_role_display())
