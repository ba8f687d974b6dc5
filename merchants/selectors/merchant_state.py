"""Where merchants stand, how they came there, and what they are told about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.utils.translation import gettext as _

from foundation import sql
from foundation.models import Approval
from foundation.selectors.house import house_id
from merchants.models import Merchant, MerchantTransition, Paper
from merchants.models.paper import WATCHMAN
from merchants.selectors import paper as papers

# Locked in order of id, so that two lists with the same merchants wait for each other.
_STANDING = """
WITH named AS MATERIALIZED (
  SELECT m.id, m.merchant_no, m.name, m.status, m.status_sequence FROM merchants_merchant m
   WHERE m.merchant_no = ANY (%(numbers)s) AND m.kind = 'MERCHANT' ORDER BY m.id {lock}
)
SELECT n.id AS merchant_id, n.merchant_no, n.name, n.status,
       CASE n.status WHEN 'FROZEN' THEN t.from_status WHEN 'RESTRICTED' THEN 'ACTIVE'
         WHEN 'CLOSING' THEN CASE WHEN NOT EXISTS (
           SELECT FROM merchants_merchant_transition c
            WHERE c.merchant_id = n.id AND c.to_status = 'CLOSED') THEN 'ACTIVE' END
       END AS former,
       EXISTS (SELECT FROM foundation_approval a
                WHERE n.status = 'FROZEN' AND a.merchant_id = t.approval_book
                  AND a.id = t.approval_id AND a.action = 'merchants.emergency'
                  AND a.state = 'PROPOSED') AS unconfirmed
  FROM named n
  LEFT JOIN merchants_merchant_transition t
    ON t.merchant_id = n.id AND t.sequence = n.status_sequence
 ORDER BY n.id
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """
    A merchant, its state, and the state it goes back to when it is restored (else None).

    `unconfirmed`: it is frozen on one person's word, on which another has not decided yet.
    """

    merchant_id: int
    merchant_no: str
    name: str
    status: str
    former: str | None
    unconfirmed: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """What a merchant that is not active is told: its state, since when, and why."""

    status: str
    label: str
    since: datetime | None
    reason: str


def standing(*, merchant_nos: Sequence[str], lock: bool = False) -> list[Standing]:
    """
    Return the merchants of these numbers by id, in one statement; unknown ones are left out.

    With `lock` nobody else moves them, and nobody asks for their money, until the transaction ends.
    """
    statement = _STANDING.format(lock="FOR NO KEY UPDATE OF m" if lock else "")
    return [Standing(**row) for row in sql.rows(statement, {"numbers": list(merchant_nos)})]


@dataclass(frozen=True, slots=True)
class Told:
    """Why a merchant moved, as its people read it: what the watch over papers says, in theirs."""

    move: MerchantTransition
    on: date

    @property
    def reason(self) -> str:
        """Return the reason; of the watch's own moves what is to be done, as things stand."""
        by_watch = Approval.objects.filter(
            merchant_id=self.move.approval_book, id=self.move.approval_id, maker_id=WATCHMAN
        )
        if not by_watch.exists():
            return self.move.reason
        if self.move.to_status != Merchant.Status.RESTRICTED:
            return _("The papers that were over have been renewed.")
        if Paper.objects.filter(papers.late(self.on), merchant_id=self.move.merchant_id).exists():
            return _(
                "A paper was not renewed in time. Hand in the new one: the restriction is lifted"
                " then."
            )
        return _("The new paper is there; a person decides on lifting the restriction.")


def notice(merchant: Merchant, *, on: date) -> Notice | None:
    """Return what a merchant is told about its state; None while it is active."""
    if merchant.status == Merchant.Status.ACTIVE:
        return None
    last = MerchantTransition.objects.filter(
        merchant_id=merchant.id, sequence=merchant.status_sequence or 0
    ).first()
    return Notice(
        merchant.status,
        str(Merchant.Status(merchant.status).label),
        None if last is None else last.at,
        "" if last is None else Told(last, on).reason,
    )


def named_in(merchant: Merchant) -> list[str]:
    """
    Return what the open proposals are called that name a merchant in a list, of moves or of agents;
    they lie in the house's book.
    """
    found = sql.rows(
        "SELECT a.subject FROM foundation_approval a WHERE a.merchant_id = %(house)s"
        " AND a.state = 'PROPOSED' AND (a.subject LIKE 'merchants:%%'"
        " OR a.subject LIKE 'merchant_agents:%%') AND EXISTS ("
        "  SELECT FROM jsonb_array_elements_text(a.after -> 'merchants') AS line"
        "   WHERE starts_with(line, %(number)s))",
        {"house": house_id(), "number": f"{merchant.merchant_no} "},
    )
    return [row["subject"] for row in found]
