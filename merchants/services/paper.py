"""Papers with an end: taken up with the application that is approved with them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from foundation import actor, clock, sql
from foundation.services import outbox
from merchants.models import Application, Merchant

LOOK: Final = "merchants.look_at_papers"


def take_up(application: Application, *, merchant: Merchant, at: datetime) -> int:
    """
    Put a merchant on the papers of an application that is approved, in the transaction that
    approves it; those it stood on are superseded. Return how many there are now.

    A renewal is nothing else: what follows from it (a restriction is no longer needed) is looked at
    right after the commit. Rule: PAP-1 (docs/rules/papers.md).
    """
    by = actor.current()
    superseded = sql.execute(
        "UPDATE merchants_paper SET superseded_by = %s WHERE merchant_id = %s"
        " AND superseded_by IS NULL AND application_id <> %s",
        [application.id, merchant.id, application.id],
    )
    taken = sql.execute(
        sql.load("merchants", "paper_take_up"),
        {
            "merchant": merchant.id,
            "book": application.merchant_id,
            "application": application.id,
            "taken_on": clock.business_date(at),
            "actor": by.name,
            "request_id": by.request_id,
        },
    )
    if superseded:
        payload: dict[str, int | str] = {"merchant_id": merchant.id}
        outbox.add(LOOK, merchant_id=merchant.id, payload=payload)
    return taken
