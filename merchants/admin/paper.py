"""Papers with an end: what ends when, of whom, and the warnings that were given."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from foundation import clock
from foundation.admin import filters
from foundation.admin.filters import Choice
from foundation.admin.keyset import Keyset, KeysetAdmin
from foundation.models import User
from foundation.registries import WorkItem
from merchants.models import Merchant, Paper, PaperNotice
from merchants.models.paper import Kind, Stage, stage_of
from merchants.selectors import paper as papers

MENU = [("merchants_paper_changelist", _("Papers that end"), "event_busy", "merchants.view_paper")]
OF_MERCHANTS = tuple(kind for kind in Kind if kind != Kind.REVIEW)
_COLOURS = {"END": "danger", "OVER": "danger", "DAYS_7": "warning", "DAYS_30": "warning",
            "DAYS_60": "info", "": "success"}  # fmt: skip


def _today() -> date:
    return clock.business_date(clock.now())


def _watched(condition: Q) -> Q:
    return condition & Q(merchant__status__in=papers.WATCHED)


_ENDS = {
    "over": Choice(_("ended, grace over"), lambda: _watched(papers.late(_today()))),
    "ended": Choice(pgettext_lazy("paper", "ended"), lambda: _watched(papers.ended(_today()))),
    "week": Choice(_("within 7 days"), lambda: _watched(papers.ending(_today(), within_days=7))),
    "month": Choice(_("within 30 days"), lambda: _watched(papers.ending(_today(), within_days=30))),
    "two_months": Choice(
        _("within 60 days"), lambda: _watched(papers.ending(_today(), within_days=60))
    ),
    "superseded": Choice(_("superseded"), Q(superseded_by__isnull=False)),
}
_EndsFilter = filters.choices("ends", _("ends"), _ENDS)


class EndsFilter(_EndsFilter):  # type: ignore[misc,valid-type]
    """By how near the end is; without a choice, what counts now."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Leave out what was superseded unless it is asked for."""
        if self.value() is None:
            return queryset.filter(superseded_by=None)
        return super().queryset(request, queryset)  # type: ignore[no-any-return]


@admin.display(description=_("valid until"), ordering="valid_until")
def valid_until(row: Paper) -> str:
    """Show the last day, or that there is none."""
    return gettext("no end") if row.long_term else row.valid_until.isoformat()


@admin.display(description=_("stage"))
def stage(row: Paper) -> Any:
    """Show how near its end it is today."""
    if row.superseded_by is not None:
        return gettext("superseded")
    found = stage_of(row.kind, row.valid_until, _today())
    return (found or "", str(Stage(found).label) if found else gettext("valid"))


stage.label = _COLOURS  # type: ignore[attr-defined]


@admin.display(description=_("stage"))
def stage_said(row: Paper) -> str:
    """Show how near its end it is, on the page of the paper."""
    found = stage(row)
    return str(found[1]) if isinstance(found, tuple) else str(found)


@admin.display(description=_("what to do"))
def to_do(row: Paper) -> str:
    """Say how it is renewed, and where."""
    if row.superseded_by is not None or row.merchant.status not in papers.WATCHED:
        return "–"
    address = reverse("admin:merchants_merchant_change", args=[row.merchant_id])
    said = (
        gettext("Look at the merchant anew: Review again, on its page.")
        if row.kind == Kind.REVIEW
        else gettext("Enter the new paper and its last day: Change data, on the merchant's page.")
    )
    return format_html('<a class="cell-link" href="{}">{}</a>', address, said)


@admin.display(description=_("about"))
def about(row: Paper) -> str:
    """Show whose or which it is."""
    return papers.Standing(row, None, 0).about or "–"


@admin.display(description=_("application"))
def application(row: Paper) -> str:
    """Lead to the application it came with."""
    address = reverse("admin:merchants_application_change", args=[row.application_id])
    return format_html('<a class="cell-link" href="{}">{}</a>', address, gettext("application"))


@admin.display(description=_("what follows"))
def consequence(row: Paper) -> str:
    """Say what follows when it is not renewed."""
    found = papers.Standing(row, stage_of(row.kind, row.valid_until, _today()), 0)
    return found.consequence or "–"


@admin.display(description=_("warnings given"))
def warnings(row: Paper) -> str:
    """Show when who was told of it."""
    given = PaperNotice.objects.filter(merchant_id=row.merchant_id, paper=row).order_by("id")
    return render_to_string("admin/paper_notices.html", {"notices": given})


@admin.register(Paper)
class PaperAdmin(KeysetAdmin):
    """Papers, the next end first; what was superseded is there to be asked for."""

    keyset = Keyset("valid_until", "id")
    list_display = ("merchant", "kind", about, valid_until, stage)
    list_select_related = ("merchant",)
    list_filter = (filters.merchant(), filters.states("kind", _("paper"), Kind.choices), EndsFilter)
    fields = (  # type: ignore[assignment]
        "merchant", "kind", about, valid_until, stage_said, consequence, to_do, application,
        "taken_on", warnings,
    )  # fmt: skip


def grace_over(user: User) -> Iterable[WorkItem]:
    """Papers of merchants whose grace is over: restricting is proposed, or a contract is open."""
    yield from _item(
        gettext("Papers have ended and their grace is over"),
        papers.late(_today(), kinds=OF_MERCHANTS),
        "?ends=over",
        urgent=True,
    )


def ending_soon(user: User) -> Iterable[WorkItem]:
    """Papers of merchants that end within a month: the new ones are to be asked for."""
    yield from _item(
        gettext("Papers end within 30 days"),
        papers.ending(_today(), within_days=30) & Q(kind__in=OF_MERCHANTS),
        "?ends=month",
    )


def to_look_at_again(user: User) -> Iterable[WorkItem]:
    """Merchants whose periodic re-review is due, or overdue (S0-07)."""
    today = _today()
    due = (papers.ending(today, within_days=30) | papers.ended(today)) & Q(kind=Kind.REVIEW)
    many, first = papers.counted(due)
    overdue = first is not None and first < today
    title = gettext("Re-reviews of merchants are overdue" if overdue else "Re-reviews are due")
    yield from _item(title, due, "?kind=REVIEW", urgent=overdue, found=(many, first))


def _item(
    title: str,
    condition: Q,
    query: str,
    *,
    urgent: bool = False,
    found: tuple[int, date | None] | None = None,
) -> Iterable[WorkItem]:
    many, first = papers.counted(condition) if found is None else found
    if first is None:
        return
    yield WorkItem(
        title=title,
        count=many,
        oldest_at=clock.begins(first) if first < _today() else None,
        at_stake=(),
        url=reverse("admin:merchants_paper_changelist") + query,
        permission="merchants.view_paper",
        urgent=urgent,
        note="" if first < _today() else gettext("the first: %(day)s") % {"day": first},
    )


def of_merchant(row: Merchant) -> str:
    """Show the requirement list of a merchant: what is due, by when, why, and what follows."""
    found = papers.standings(merchant_id=row.id, on=_today())
    return render_to_string("admin/merchant_papers.html", {"standings": found})
