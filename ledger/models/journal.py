"""Journal entries, postings and posting lines: append-only."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact, FactForeignKey
from foundation.models.fact import book_key
from foundation.money import Money
from ledger.fields import Xid8Field
from ledger.models import cause
from ledger.models import operation as operations
from ledger.models.account import Account, Side


class JournalEntry(Fact):
    """A balanced set of postings in one book with one cause, unique per book (LG-1)."""

    merchant = book_key(db_constraint=False)  # its postings' key to their account proves it
    source_kind = models.CharField(_("cause"), max_length=32)
    source_id = models.CharField(_("cause number"), max_length=128)
    content_sha256 = models.BinaryField(max_length=32)
    reverses = FactForeignKey(
        "self",
        models.PROTECT,
        null=True,
        related_name="reversed_by",
        db_index=False,
        verbose_name=_("reverses"),
    )
    accounting_date = models.DateField(_("accounting date"))
    occurred_at = models.DateTimeField(_("occurred at"))
    memo = models.CharField(_("memo"), max_length=200, blank=True)
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request"), max_length=64)
    booked_at = models.DateTimeField(_("booked at"))
    xid8 = Xid8Field()

    class Meta:
        db_table = "ledger_entry"
        verbose_name = _("journal entry")
        verbose_name_plural = _("journal entries")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "source_kind", "source_id"], name="entry_one_per_cause"
            ),
        ]

    def __str__(self) -> str:
        return f"{cause.name_of(self.source_kind)} {self.source_id}"


class Posting(Fact):
    """One debit or credit of one account; `seq` counts without gaps within the account."""

    merchant = book_key(db_constraint=False)  # the key to its account proves it
    entry = FactForeignKey(
        JournalEntry, models.PROTECT, related_name="postings", db_constraint=False, db_index=False
    )
    account = FactForeignKey(
        Account, models.PROTECT, related_name="postings", db_constraint=False, db_index=False
    )
    account_kind = models.CharField(_("account kind"), max_length=32)
    currency = models.CharField(_("currency"), max_length=3)
    operation = models.CharField(_("operation"), max_length=20)
    side = models.CharField(_("side"), max_length=2, choices=Side)
    amount_minor = models.BigIntegerField(_("amount"))
    seq = models.BigIntegerField(_("sequence"))
    balance_after = models.BigIntegerField(_("balance after"))
    posted_at = models.DateTimeField(_("posted at"))
    booked_at = models.DateTimeField(_("booked at"))
    xid8 = Xid8Field()

    class Meta:
        db_table = "ledger_posting"
        verbose_name = _("posting")
        verbose_name_plural = _("postings")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "account", "seq"], name="posting_one_per_seq"
            ),
        ]
        indexes = [models.Index(fields=["merchant", "entry"], name="posting_by_entry")]

    def __str__(self) -> str:
        amount = Money(self.amount_minor, self.currency)
        return f"{self.get_side_display()} {operations.name_of(self.operation)} {amount}"


class PostingLine(Fact):
    """
    One fact (payment, refund, spend) inside a posting that books many; lines sum to the posting.

    `amount_minor` is signed: positive grows the account's balance.
    """

    merchant = book_key(db_constraint=False)  # the key to its posting proves it
    posting = FactForeignKey(
        Posting, models.PROTECT, related_name="lines", db_constraint=False, db_index=False
    )
    account = FactForeignKey(
        Account, models.PROTECT, related_name="lines", db_constraint=False, db_index=False
    )
    seq = models.BigIntegerField(_("sequence"))
    line_no = models.IntegerField(_("line"))
    fact_kind = models.CharField(_("fact"), max_length=20)
    fact_id = models.BigIntegerField(_("fact number"))
    amount_minor = models.BigIntegerField(_("amount"))
    balance_after = models.BigIntegerField(_("balance after"))

    class Meta:
        db_table = "ledger_posting_line"
        verbose_name = _("posting line")
        verbose_name_plural = _("posting lines")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "account", "seq", "line_no"], name="line_one_per_number"
            ),
            models.UniqueConstraint(
                fields=["merchant", "fact_kind", "fact_id", "account"], name="line_one_per_fact"
            ),
        ]

    def __str__(self) -> str:
        return f"{cause.name_of(self.fact_kind)} {self.fact_id}"
