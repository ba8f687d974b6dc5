"""Chart of accounts, the ability table, and the accounts themselves."""

from __future__ import annotations

from django.db import models
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact, FactForeignKey
from ledger.models import operation as operations


class Side(models.TextChoices):
    """The two sides of a posting."""

    DR = "DR", _("debit")
    CR = "CR", _("credit")


def _spoken(chinese: str, english: str) -> str:
    return chinese if (get_language() or "").startswith("zh") else english


class Subject(models.Model):
    """A subject (科目) of the chart of accounts: several account kinds may stand under one."""

    code = models.CharField(_("code"), max_length=10, primary_key=True)
    name_zh = models.CharField(max_length=60)
    name_en = models.CharField(max_length=60)

    class Meta:
        db_table = "ledger_subject"
        verbose_name = pgettext_lazy("accounts", "subject")
        verbose_name_plural = _("chart of accounts")

    def __str__(self) -> str:
        return f"{self.code} {self.name}"

    @property
    def name(self) -> str:
        """Its name in the reader's language."""
        return _spoken(self.name_zh, self.name_en)


class AccountKind(models.Model):
    """
    What an account is for. `never_negative` kinds are kept at zero or above by constraint.

    `owner` is to whom belongs what stands in it. The accounting entity (会计主体) that keeps all of
    it in its books is the house, whatever merchant's book the account lies in (LG-14).
    """

    class Owner(models.TextChoices):
        HOUSE = "HOUSE", pgettext_lazy("owner", "the house")
        MERCHANT = "MERCHANT", pgettext_lazy("owner", "the merchant")
        CUSTOMERS = "CUSTOMERS", pgettext_lazy("owner", "the merchant's customers")
        AGENT = "AGENT", pgettext_lazy("owner", "agents")
        STATE = "STATE", pgettext_lazy("owner", "the tax office")

    kind = models.CharField(max_length=32, primary_key=True)
    subject = models.ForeignKey(Subject, models.PROTECT, db_column="subject")
    normal_side = models.CharField(max_length=2, choices=Side)
    never_negative = models.BooleanField()
    house_only = models.BooleanField()
    ends_with_merchant = models.BooleanField(default=False)  # empty and closed when it is CLOSED
    owner = models.CharField(
        pgettext_lazy("account", "belongs to"), max_length=10, choices=Owner, default=Owner.HOUSE
    )
    name_zh = models.CharField(max_length=60)
    name_en = models.CharField(max_length=60)

    class Meta:
        db_table = "ledger_account_kind"
        verbose_name = _("account kind")
        verbose_name_plural = _("account kinds")

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Its name in the reader's language."""
        return _spoken(self.name_zh, self.name_en)


class Ability(models.Model):
    """
    One allowed cell of account kind x operation x side: the table is the law (X6).

    A posting's and a hold's cell is a foreign key into it, so what has no row here cannot happen.
    """

    account_kind = models.ForeignKey(AccountKind, models.PROTECT, db_column="account_kind")
    operation = models.CharField(_("operation"), max_length=20)
    side = models.CharField(_("side"), max_length=2, choices=Side)
    legal_source = models.CharField(_("source"), max_length=200)

    class Meta:
        db_table = "ledger_ability"
        verbose_name = _("ability")
        verbose_name_plural = _("abilities")
        constraints = [
            models.UniqueConstraint(
                fields=["account_kind", "operation", "side"], name="ability_one_cell"
            )
        ]

    def __str__(self) -> str:
        return f"{self.account_kind} {operations.name_of(self.operation)} {self.get_side_display()}"


class Account(Fact):
    """
    Where postings collect, within one merchant's book.

    `balance_minor` grows on the kind's normal side; `held_minor` is the sum of its open holds; what
    is free is the difference. Written only by the ledger's SQL functions.
    """

    kind = models.ForeignKey(AccountKind, models.PROTECT, db_column="kind", verbose_name=_("kind"))
    currency = models.CharField(_("currency"), max_length=3)
    ref_kind = models.CharField(_("reference kind"), max_length=20, blank=True)
    ref_id = models.CharField(_("reference"), max_length=64, blank=True)
    normal_side = models.CharField(max_length=2, choices=Side)
    never_negative = models.BooleanField()
    balance_minor = models.BigIntegerField(_("balance"), db_column="balance", default=0)
    held_minor = models.BigIntegerField(_("held"), db_column="held", default=0)
    seq = models.BigIntegerField(default=0)
    posted_at = models.DateTimeField(_("last posted at"), null=True)
    opened_at = models.DateTimeField(_("opened at"))
    closed_at = models.DateTimeField(_("closed at"), null=True)

    class Meta:
        db_table = "ledger_account"
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "kind", "currency", "ref_kind", "ref_id"],
                name="account_one_slice",
            ),
            models.CheckConstraint(
                condition=models.Q(closed_at=None) | models.Q(balance_minor=0, held_minor=0),
                name="account_closed_is_empty",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.currency} {self.ref_id}".strip()


class AccountStep(Fact):
    """
    One closing of an account with its merchant, or its opening again. Append-only.

    `entry` is what came late and opened it; empty when the merchant's closing was taken up again.
    """

    class Step(models.TextChoices):
        CLOSED = "CLOSED", pgettext_lazy("account", "closed")
        REOPENED = "REOPENED", pgettext_lazy("account", "opened again")

    account = FactForeignKey(Account, models.PROTECT, related_name="steps", db_index=False)
    step = models.CharField(_("step"), max_length=8, choices=Step)
    entry_id = models.BigIntegerField(_("entry"), null=True)
    at = models.DateTimeField(_("at"))
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "ledger_account_step"
        verbose_name = _("step of an account")
        verbose_name_plural = _("steps of accounts")
        indexes = [models.Index(fields=["merchant", "account", "id"], name="account_steps")]

    def __str__(self) -> str:
        return f"{self.get_step_display()} {self.at}"
