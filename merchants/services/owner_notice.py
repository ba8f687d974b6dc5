"""Letters to a merchant's owners about their bank accounts."""

from __future__ import annotations

from typing import Final

from foundation.services import mail, outbox
from merchants.models import BankAccount
from merchants.selectors import membership as memberships

SEND: Final = "merchants.tell_owners"
EVENTS: Final = ("requested", "approved", "refused", "disabled")


def promise(event: str, *, merchant_id: int, bank_account_id: int) -> None:
    """Promise a letter to each owner, in the transaction of what it tells of. Rule: MER-10."""
    payload: dict[str, int | str] = {
        "merchant_id": merchant_id,
        "bank_account_id": bank_account_id,
        "event": event,
    }
    outbox.add(SEND, merchant_id=merchant_id, payload=payload)


def send(*, merchant_id: int, bank_account_id: int, event: str) -> None:
    """
    Tell every owner who has an e-mail address, in his language. Raises what the mail server's
    connection raises: then all are told again, which harms nobody.
    """
    account = (
        BankAccount.objects.filter(merchant_id=merchant_id, id=bank_account_id)
        .select_related("merchant", "requested_by", "replaces")
        .defer("number")
        .first()
    )
    if account is None or event not in EVENTS:
        return
    for owner in memberships.owners_to_write_to(merchant_id=merchant_id):
        context = {"account": account, "event": event}
        mail.send(
            to=owner.user.email,
            language=owner.user.language,
            template="bank_account",
            context=context,
        )
