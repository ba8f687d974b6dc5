"""Letters to a merchant's owners about the merchant itself: its state, and its details."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from foundation import actor, sql
from foundation.services import mail, outbox
from merchants.models import Application, Merchant, MerchantTransition
from merchants.selectors import application as applications
from merchants.selectors import application_change as changes
from merchants.selectors import membership as memberships
from merchants.selectors import merchant_state as states

MOVED: Final = "merchants.tell_of_move"
CHANGED: Final = "merchants.tell_of_change"
_MOVES: Final = frozenset(
    f"merchants.{what}" for what in ("frozen", "restricted", "restored", "closing", "closed")
)


def on_merchants(*, event: str, merchant_ids: Sequence[int], payload: Mapping[str, Any]) -> None:
    """
    Promise a letter about each merchant that moved, by one statement, or whose details changed; in
    the transaction that does it. Rule: MST-12, APP-23.
    """
    if event in _MOVES:
        by = actor.current()
        sql.execute(
            sql.load("merchants", "merchant_letter"),
            {"kind": MOVED, "merchants": list(merchant_ids), "actor": by.name,
             "request_id": by.request_id},
        )  # fmt: skip
        outbox.nudge_on_commit()
    elif event == "merchant.changed" and payload["changed"]:
        for merchant in Merchant.objects.filter(id__in=merchant_ids, stands_on__isnull=False):
            told = {"merchant_id": merchant.id, "application_id": int(merchant.stands_on or 0)}
            outbox.add(CHANGED, merchant_id=merchant.id, payload=told)


def send_move(*, merchant_id: int, sequence: int, on: date) -> None:
    """
    Tell every owner who has an e-mail address, in his language, where the merchant went and why.
    Raises what the mail server's connection raises: then all are told again.
    """
    move = (
        MerchantTransition.objects.filter(merchant_id=merchant_id, sequence=sequence)
        .select_related("merchant")
        .first()
    )
    if move is not None:
        said = states.Told(move, on)
        _send(
            merchant_id, "merchant_state", {"merchant": move.merchant, "move": move, "told": said}
        )


def send_change(*, merchant_id: int, application_id: int) -> None:
    """
    Tell every owner which details an approved change changed, by their names alone. Raises what the
    mail server's connection raises.
    """
    application = Application.objects.filter(
        id=application_id, merchant_id=applications.house_id(), concerns_id=merchant_id
    ).first()
    if application is None:
        return
    names = changes.Names(applications.whole(application))
    _send(merchant_id, "merchant_change", {"merchant": application.concerns, "names": names})


def _send(merchant_id: int, template: str, context: Mapping[str, Any]) -> None:
    for owner in memberships.owners_to_write_to(merchant_id=merchant_id):
        mail.send(
            to=owner.user.email, language=owner.user.language, template=template, context=context
        )
