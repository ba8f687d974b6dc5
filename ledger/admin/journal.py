"""Journal entries, postings and the lines below them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from foundation.money import Money
from ledger.admin import trail
from ledger.models import AccountKind, JournalEntry, Posting, PostingLine, cause
from ledger.models import operation as operations

MENU = [
    ("ledger_journalentry_changelist", _("Entries"), "receipt_long", "ledger.view_journalentry"),
    ("ledger_posting_changelist", _("Postings"), "swap_vert", "ledger.view_posting"),
    ("ledger_postingline_changelist", _("Posting lines"), "reorder", "ledger.view_postingline"),
]
CAUSE = columns.named("source_kind", _("cause"), cause.name_of)
MOST_LINES = 200  # shown with their posting; the list of lines has the rest
MOST_POSTINGS = 500  # shown with their entry; an entry of ours has a handful


def of_entry(entry: JournalEntry) -> list[tuple[Posting, str, str, str]]:
    """Return an entry's postings, each with its kind, operation and amount as people read them."""
    kinds = {kind.kind: kind.name for kind in AccountKind.objects.all()}  # thirty rows
    found = Posting.objects.filter(merchant=entry.merchant_id, entry=entry.pk).order_by("id")
    return [
        (
            posting,
            kinds[posting.account_kind],
            operations.name_of(posting.operation),
            columns.grouped(Money(posting.amount_minor, posting.currency)),
        )
        for posting in found[:MOST_POSTINGS]
    ]


@admin.register(JournalEntry)
class JournalEntryAdmin(KeysetAdmin):
    """Entries, latest first."""

    list_display = ("id", "merchant", CAUSE, "source_id", "accounting_date", "booked_at")
    list_select_related = ("merchant",)
    list_filter = (
        filters.merchant("-id"),
        filters.exact(
            "source_kind", _("cause (with a merchant)"), "source_kind", "source_id", in_book=True
        ),
    )
    searches = (Search("id"), Search("source_id", in_book=True))
    search_help_text = _("Entry; with merchant and cause, the cause's number")
    hidden = ("content_sha256",)
    shown = {"source_kind": CAUSE}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the entry's postings below it."""
        return [trail.origin, *super().get_fields(request, obj), "postings"]

    @admin.display(description=_("postings"))
    def postings(self, row: JournalEntry) -> str:
        """Show debits and credits side by side."""
        return render_to_string("admin/postings.html", {"rows": of_entry(row)})


@admin.register(Posting)
class PostingAdmin(KeysetAdmin):
    """Postings, latest first; with an account, by its own sequence."""

    list_display = (
        "id",
        "merchant",
        "kind_name",
        "operation_name",
        "side",
        columns.money("amount_minor", _("amount")),
        columns.money("balance_after", _("balance after")),
        "posted_at",
        columns.link(
            _("journal entry"),
            lambda row: ("ledger_journalentry_change", row.entry_id, row.entry_id),
        ),
    )
    list_select_related = ("merchant", "account__kind")
    labels = {"account": _("account"), "entry": _("journal entry")}
    list_filter = (
        filters.exact("account", _("account (with a merchant)"), "-seq", "-id", in_book=True),
        filters.merchant("-entry_id", "-id"),
    )
    searches = (Search("id"), Search("entry", in_book=True))
    search_help_text = _("Posting; with a merchant, also the entry")
    shown = {
        "account_kind": None,
        "operation": columns.named("operation", _("operation"), operations.name_of),
        "balance_after": columns.money("balance_after", _("balance after")),
    }

    @admin.display(description=_("account kind"))
    def kind_name(self, row: Posting) -> str:
        """Return the kind's name in the reader's language."""
        return str(row.account.kind)

    @admin.display(description=_("operation"))
    def operation_name(self, row: Posting) -> str:
        """Return the operation in the reader's language."""
        return operations.name_of(row.operation)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the payments and refunds below it."""
        return [*super().get_fields(request, obj), "lines"]

    @admin.display(description=_("what it books"))
    def lines(self, row: Posting) -> str:
        """Show what a bulk posting books, at most so many."""
        below = PostingLine.objects.filter(
            merchant=row.merchant_id, account=row.account_id, seq=row.seq
        )
        found = list(below.order_by("line_no")[: MOST_LINES + 1])
        shown = trail.shown(found[:MOST_LINES], row.currency)
        context = {"lines": shown, "more": len(found) > MOST_LINES}
        return render_to_string("admin/posting_lines.html", context)


@admin.register(PostingLine)
class PostingLineAdmin(KeysetAdmin):
    """Lines, latest first: the payments and refunds inside bulk postings."""

    keyset = Keyset("-id")
    list_display = (
        "id",
        "merchant",
        trail.fact,
        columns.money("amount_minor", _("amount"), currency="account__currency"),
        columns.money("balance_after", _("balance after"), currency="account__currency"),
        columns.plain("posting", _("posting")),
    )
    labels = {"account": _("account"), "posting": _("posting")}
    list_select_related = ("merchant", "account", "posting")
    list_filter = (
        filters.exact("account", _("account (with a merchant)"), "-seq", "-line_no", in_book=True),
        filters.merchant("-account_id", "-seq", "-line_no"),
    )
    searches = (Search("id"),)
    search_help_text = _("Line")
    money_currency = {"amount_minor": "account__currency"}
    shown = {
        "fact_kind": trail.fact,
        "fact_id": None,
        "balance_after": columns.money(
            "balance_after", _("balance after"), currency="account__currency"
        ),
    }
