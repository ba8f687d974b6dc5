"""The money that lies ready at a payout channel, paid in out of our own capital."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction

from foundation.money import Money
from foundation.services import audit
from ledger.services import account as accounts
from ledger.services import journal
from ledger.services.account import Slice
from ledger.services.journal import credit, debit
from merchants.services import house
from settlement.models import PayoutChannel

CAUSE: Final = "float_funding"


def fund(*, channel: PayoutChannel, amount: Money, reference: str, at: datetime) -> int:
    """
    Book own capital paid to the bank and on to a channel's float; return the entry's id.

    H: Dr bank(own), Cr capital; Dr channel_float, Cr bank(own). The same reference again is the
    same entry. Raises EntryConflict when it was another amount. Rule: PO-11.
    """
    book = house.house().id
    own = Slice("bank", amount.currency, "bank", "own")
    capital = Slice("capital", amount.currency)
    channel_float = Slice("channel_float", amount.currency, "channel", channel.code)
    ids = accounts.open_slices(merchant_id=book, slices=[own, capital, channel_float])
    with transaction.atomic(durable=True):
        entry = journal.post(
            merchant_id=book,
            source_kind=CAUSE,
            source_id=f"{channel.code}:{reference}",
            postings=[
                debit(ids[own], "receive", amount.minor),
                credit(ids[capital], "contribute", amount.minor),
                debit(ids[channel_float], "fund", amount.minor),
                credit(ids[own], "pay", amount.minor),
            ],
            memo=reference,
        )
        audit.record(
            merchant_id=book,
            action="payout_float.fund",
            object_kind="payout_channel",
            object_id=channel.code,
            after={"amount": str(amount), "reference": reference},
        )
    return entry
