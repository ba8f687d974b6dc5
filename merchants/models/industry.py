"""What a merchant may be in, how risky it is, and what may be asked for there."""

from __future__ import annotations

from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

SAME_DAY: Final = ("T0", "D0")  # schedules under which we advance the money ourselves
SAME_DAY_PRODUCT: Final = "t0"  # what is asked for to have one: its gate is theirs


class RiskGrade(models.IntegerChoices):
    """How dangerous an industry or an applicant is; the higher of the two counts."""

    LOW = 1, pgettext_lazy("risk", "low")
    MEDIUM = 2, pgettext_lazy("risk", "medium")
    HIGH = 3, pgettext_lazy("risk", "high")


class ContractType(models.TextChoices):
    """Whether we hold the merchant's money or only serve him technically (S1-13)."""

    FUNDS_HELD = "FUNDS_HELD", _("funds held by us")
    TECHNICAL = "TECHNICAL", _("technical service only")


def _spoken(english: str, chinese: str) -> str:
    return chinese if (get_language() or "").startswith("zh") else english


class Industry(models.Model):
    """
    An industry by its merchant category code (ISO 18245), with its risk grade.

    Reference data. A forbidden one cannot be submitted or approved, whatever else is said (S0-07).
    """

    code = models.CharField(_("industry code"), max_length=4, primary_key=True)
    name = models.CharField(_("English name"), max_length=100)
    name_zh = models.CharField(_("Chinese name"), max_length=100)
    risk_grade = models.PositiveSmallIntegerField(_("risk grade"), choices=RiskGrade)
    forbidden = models.BooleanField(_("forbidden"), default=False)

    class Meta:
        db_table = "merchants_industry"
        verbose_name = _("industry")
        verbose_name_plural = _("industries")

    def __str__(self) -> str:
        return f"{self.code} {_spoken(self.name, self.name_zh)}"


class ProductGate(models.Model):
    """
    A kind of product that may be asked for, and by whom: up to which risk grade, under which
    contracts, and whether only with a licence or filing number of its own (S1-11, S1-12, S1-14).

    Reference data. What has no row cannot be asked for.
    """

    code = models.CharField(_("kind of product"), max_length=20, primary_key=True)
    name = models.CharField(_("English name"), max_length=100)
    name_zh = models.CharField(_("Chinese name"), max_length=100)
    max_risk_grade = models.PositiveSmallIntegerField(_("highest risk grade"), choices=RiskGrade)
    contract_types = ArrayField(
        models.CharField(max_length=10, choices=ContractType), verbose_name=_("under contracts")
    )
    needs_filing = models.BooleanField(_("needs a filing number"), default=False)

    class Meta:
        db_table = "merchants_product_gate"
        verbose_name = _("product gate")
        verbose_name_plural = _("product gates")
        constraints = [
            models.CheckConstraint(
                condition=Q(contract_types__len__gte=1), name="product_gate_has_contract"
            )
        ]

    def __str__(self) -> str:
        return _spoken(self.name, self.name_zh)
