"""Where the admin leads from the ledger to what it books: facts, and the causes of entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from foundation import registries
from foundation.admin.columns import grouped
from foundation.money import Money
from ledger.models import Hold, JournalEntry, PostingLine, cause


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line below a posting as people read it."""

    kind: str
    number: str
    amount: str
    url: str


@admin.display(description=_("belongs to"))
def origin(row: JournalEntry | Hold) -> str | None:
    """Link the station of the money's way that an entry or a hold stands for."""
    if row.source_kind not in registries.trail_providers:
        return None
    provider = registries.trail_providers.get(row.source_kind)
    step = provider(merchant_id=row.merchant_id, source_id=row.source_id)
    if step is None:
        return None
    return format_html('<a class="cell-link" href="{}">{}</a>', step.url, step.title)


@admin.display(description=_("payment, refund or payout"))
def fact(line: PostingLine) -> str:
    """Link the fact of a line."""
    text = f"{cause.name_of(line.fact_kind)} {line.fact_id}"
    url = fact_url(line)
    return format_html('<a class="cell-link" href="{}">{}</a>', url, text) if url else text


def fact_url(line: PostingLine) -> str:
    """Return the address of the page of a line's fact, "" where it has none."""
    if line.fact_kind not in registries.fact_pages:
        return ""
    return reverse(f"admin:{registries.fact_pages.get(line.fact_kind)}", args=[line.fact_id])


def shown(lines: Sequence[PostingLine], currency: str) -> list[ShownLine]:
    """Return lines with the numbers of their facts: one statement for each kind of fact."""
    numbers: dict[str, Mapping[int, str]] = {}
    for kind in {line.fact_kind for line in lines if line.fact_kind in registries.fact_namers}:
        ids = [line.fact_id for line in lines if line.fact_kind == kind]
        name = registries.fact_namers.get(kind)
        numbers[kind] = name(merchant_id=lines[0].merchant_id, fact_ids=ids)
    return [
        ShownLine(
            cause.name_of(line.fact_kind),
            numbers.get(line.fact_kind, {}).get(line.fact_id, str(line.fact_id)),
            grouped(Money(line.amount_minor, currency)),
            fact_url(line),
        )
        for line in lines
    ]
