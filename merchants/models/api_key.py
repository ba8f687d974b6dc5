"""Keys with which programs call the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact


class Scope(models.TextChoices):
    """What a key may do: the one list of the product."""

    BALANCES_READ = "balances:read", _("read balances")
    STATEMENTS_READ = "statements:read", _("read statements")
    PAYMENTS_READ = "payments:read", _("read payments")
    REFUNDS_READ = "refunds:read", _("read refunds")
    SETTLEMENTS_READ = "settlements:read", _("read settlements")
    WITHDRAWALS_READ = "withdrawals:read", _("read withdrawals")
    WITHDRAWALS_WRITE = "withdrawals:write", _("request and cancel withdrawals")
    PAYMENTS_RECORD = "payments:record", _("record payments")


class ApiKey(Fact):
    """
    A key of a merchant's, a partner's or the institution's own program; the latter two lie in the
    house's book.

    Only hashes of the secret are stored: of the present one and, while a rotation overlaps, of the
    one before. When and from where it was last used is noted every few minutes. The prefix carries
    the routing number of its book, so it is unique everywhere by construction and leads to its row
    without asking every book.
    """

    class Kind(models.TextChoices):
        MERCHANT = "MERCHANT", _("merchant")
        INSTITUTION = "INSTITUTION", _("institution")
        PARTNER = "PARTNER", _("partner")

    kind = models.CharField(_("kind"), max_length=11, choices=Kind)
    name = models.CharField(_("key name"), max_length=100)
    prefix = models.CharField(_("prefix"), max_length=40)
    secret_hash = models.BinaryField(_("hash of the secret"), max_length=32)
    scopes = ArrayField(models.CharField(max_length=32, choices=Scope), verbose_name=_("scopes"))
    networks = ArrayField(
        models.CharField(max_length=43),
        verbose_name=_("allowed networks"),
        default=list,
        blank=True,
        help_text=_("Addresses in CIDR form; empty allows every address."),
    )
    previous_hash = models.BinaryField(_("hash of the secret before"), max_length=32, null=True)
    previous_until = models.DateTimeField(_("secret before ends at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)
    last_used_from = models.CharField(_("last used from"), max_length=45, blank=True)
    last_refused_at = models.DateTimeField(_("last refused address at"), null=True, blank=True)
    active = models.BooleanField(_("active"), default=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "merchants_api_key"
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        constraints = [
            models.UniqueConstraint(fields=["merchant", "prefix"], name="api_key_prefix"),
            models.UniqueConstraint(fields=["merchant", "name"], name="api_key_name"),
            models.CheckConstraint(
                condition=Q(previous_hash__isnull=True, previous_until__isnull=True)
                | Q(previous_hash__isnull=False, previous_until__isnull=False),
                name="api_key_secret_before_ends",
            ),
            models.CheckConstraint(
                condition=~Q(kind="MERCHANT") | ~Q(scopes__contains=["payments:record"]),
                name="api_key_merchant_records_nothing",
            ),
            models.CheckConstraint(
                condition=~Q(kind="PARTNER") | Q(scopes__contained_by=["payments:record"]),
                name="api_key_partner_records_only",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"


# What each kind may be given; the database says it again.
KIND_SCOPES: Final[Mapping[str, frozenset[Scope]]] = {
    ApiKey.Kind.MERCHANT: frozenset(Scope) - {Scope.PAYMENTS_RECORD},
    ApiKey.Kind.INSTITUTION: frozenset(Scope),
    ApiKey.Kind.PARTNER: frozenset({Scope.PAYMENTS_RECORD}),
}
