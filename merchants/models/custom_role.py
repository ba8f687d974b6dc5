"""Roles that a merchant puts together for its own people."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact
from merchants.models.membership import Ability


class CustomRole(Fact):
    """A named set of abilities of one merchant. Switched off, never deleted."""

    name = models.CharField(_("role name"), max_length=50)
    abilities = ArrayField(
        models.CharField(max_length=20, choices=Ability), verbose_name=_("what it includes")
    )
    active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "merchants_custom_role"
        verbose_name = _("custom role")
        verbose_name_plural = _("custom roles")
        constraints = [
            models.UniqueConstraint(fields=["merchant", "name"], name="custom_role_name"),
            models.UniqueConstraint(fields=["merchant", "id"], name="custom_role_in_book"),
            models.CheckConstraint(
                condition=Q(abilities__len__gte=1)
                & Q(abilities__contained_by=[str(one) for one in Ability]),
                name="custom_role_known_abilities",
            ),
        ]

    def __str__(self) -> str:
        return self.name
