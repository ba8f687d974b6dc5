"""Who acts for a merchant, and what each role may do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from foundation.models import Fact, FactForeignKey
from merchants.models.merchant import Merchant

if TYPE_CHECKING:
    from merchants.models.custom_role import CustomRole


class Membership(Fact):
    """A user's role with one merchant. Switched off, never deleted."""

    class Role(models.TextChoices):
        OWNER = "OWNER", pgettext_lazy("role", "owner")
        FINANCE = "FINANCE", _("finance")
        CASHIER = "CASHIER", _("cashier")
        VIEWER = "VIEWER", _("viewer")
        CUSTOM = "CUSTOM", _("custom")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("user")
    )
    role = models.CharField(_("role"), max_length=8, choices=Role)
    custom_role = FactForeignKey(
        "merchants.CustomRole",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("custom role"),
    )
    active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "merchants_membership"
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        permissions = [("view_link", _("Can see who shares persons, browsers and networks"))]
        constraints = [
            models.UniqueConstraint(fields=["merchant", "user"], name="membership_once"),
            models.CheckConstraint(
                condition=Q(role="CUSTOM", custom_role__isnull=False)
                | (~Q(role="CUSTOM") & Q(custom_role__isnull=True)),
                name="membership_role_named",
            ),
        ]
        indexes = [models.Index(fields=["user", "merchant"], name="membership_user")]

    def __str__(self) -> str:
        return f"{self.user} {self.get_role_display()}"

    @property
    def role_name(self) -> str:
        """What people call the role."""
        return self.custom_role.name if self.custom_role else str(self.get_role_display())

    @property
    def abilities(self) -> frozenset[Ability]:
        """What the role includes; a custom role that was switched off includes nothing."""
        return abilities_of(self.role, self.custom_role)


class Ability(models.TextChoices):
    """What a merchant's person may do; the names stand in code, the table below is the law."""

    SEE_BALANCES = "see_balances", _("see balances, statements and settlements")
    SEE_PAYMENTS = "see_payments", _("see payments and refunds")
    WITHDRAW = "withdraw", _("withdraw")
    MANAGE = "manage", _("manage people, keys and bank accounts")


# What is left to the people of a CLOSED merchant: reading (MST-9).
READING: Final = frozenset({Ability.SEE_BALANCES, Ability.SEE_PAYMENTS})

ROLE_ABILITIES: Final[Mapping[str, frozenset[Ability]]] = {
    Membership.Role.OWNER: frozenset(Ability),
    Membership.Role.FINANCE: frozenset(
        {Ability.SEE_BALANCES, Ability.SEE_PAYMENTS, Ability.WITHDRAW}
    ),
    Membership.Role.CASHIER: frozenset({Ability.SEE_PAYMENTS}),
    Membership.Role.VIEWER: frozenset({Ability.SEE_BALANCES, Ability.SEE_PAYMENTS}),
}


def abilities_of(role: str, custom_role: CustomRole | None) -> frozenset[Ability]:
    """Return the abilities of a role; a custom role that was switched off has none."""
    if role != Membership.Role.CUSTOM:
        return ROLE_ABILITIES[role]
    if custom_role is None or not custom_role.active:
        return frozenset()
    return frozenset(Ability(one) for one in custom_role.abilities)


def abilities_left(status: str, abilities: frozenset[Ability]) -> frozenset[Ability]:
    """Return what is left of abilities while the merchant is in a state."""
    return abilities & READING if status == Merchant.Status.CLOSED else abilities
