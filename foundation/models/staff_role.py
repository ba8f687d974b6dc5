"""Roles of staff that the house made itself, beside those of the table in code."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db import models
from django.utils.translation import gettext_lazy as _


class StaffRole(models.Model):
    """
    A named set of rights, which is exactly what the latest approval about it says (a trigger).

    Its group of the same name carries the rights to its holders, or nothing while it is off.
    Reference data: never deleted.
    """

    group = models.OneToOneField(Group, models.PROTECT, related_name="staff_role")
    name = models.CharField(_("name"), max_length=50, unique=True)
    purpose = models.CharField(_("purpose"), max_length=200)
    rights = models.JSONField(_("rights"))
    is_active = models.BooleanField(_("in force"))
    approval_id = models.BigIntegerField(_("approval"))

    class Meta:
        db_table = "foundation_staff_role"
        verbose_name = _("role of our own")
        verbose_name_plural = _("roles of our own")
        permissions = [
            ("propose_staffrole", _("Can propose roles of our own")),
            ("approve_staffrole", _("Can approve roles of our own")),
        ]

    def __str__(self) -> str:
        return self.name
