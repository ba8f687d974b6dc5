"""The queues of channels on the overview."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Min
from django.urls import reverse
from django.utils.translation import gettext as _

from channels.models import Channel, Product, ReviewState, Unpriced
from foundation import sql
from foundation.models import User
from foundation.money import Money
from foundation.registries import WorkItem


def unpriced(user: User) -> Iterable[WorkItem]:
    """Payments that no fee version covers: nothing is posted for them, the money waits."""
    waiting = Unpriced.objects.filter(chunk=None)
    oldest = waiting.aggregate(since=Min("since"))["since"]
    if oldest is None:
        return
    rows = sql.rows(
        "SELECT p.currency, count(*) AS many, coalesce(sum(p.amount_minor), 0)::bigint AS minor"
        "  FROM channels_unpriced u LEFT JOIN channels_payment p"
        "    ON u.fact_kind = 'PAYMENT' AND p.merchant_id = u.merchant_id AND p.id = u.fact_id"
        " WHERE u.chunk_id IS NULL GROUP BY p.currency ORDER BY p.currency"
    )
    yield WorkItem(
        title=_("Payments have no price"),
        count=sum(row["many"] for row in rows),
        oldest_at=oldest,
        at_stake=tuple(Money(row["minor"], row["currency"]) for row in rows if row["currency"]),
        url=reverse("admin:channels_unpriced_changelist") + "?state=waiting",
        permission="channels.view_unpriced",
    )


def unreviewed(user: User) -> Iterable[WorkItem]:
    """Codes that a file brought in and nobody has looked at."""
    for model, name, title in (
        (Product, "product", _("Products wait for a review")),
        (Channel, "channel", _("Channels wait for a review")),
    ):
        found = list(
            model._default_manager.filter(review_state=ReviewState.UNREVIEWED)
            .order_by("created_at")
            .values_list("created_at", flat=True)[:1000]
        )
        if found:
            address = reverse(f"admin:channels_{name}_changelist")
            yield WorkItem(
                title=title,
                count=len(found),
                oldest_at=found[0],
                at_stake=(),
                url=f"{address}?review_state={ReviewState.UNREVIEWED}",
                permission=f"channels.view_{name}",
            )
