"""What merchants' programs are told of the merchant itself: declared and written here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from foundation.registries import WebhookEvent
from merchants.models import BankAccount
from merchants.services import webhook_delivery as deliveries
from merchants.services import webhook_endpoint as endpoints
from merchants.services.merchant_state import EVENTS
from merchants.services.webhook_delivery import News

TEST: Final = WebhookEvent(endpoints.TEST, _("test event"))
MERCHANT: Final = WebhookEvent("merchant.changed", _("the state of the merchant changed"))
BANK_ACCOUNT: Final = WebhookEvent(
    "bank_account.changed", _("a bank account was verified, replaced or switched off")
)
ALL: Final = (TEST, MERCHANT, BANK_ACCOUNT)
_OF_ACCOUNTS: Final = frozenset(
    {"bank_account_verified", "bank_account_replaced", "bank_account_disabled"}
)


def on_lifecycle(*, event: str, merchant_ids: Sequence[int], payload: Mapping[str, Any]) -> None:
    """Tell of merchants that moved and of accounts that changed, in their own transaction."""
    if event in EVENTS.values():
        moved = endpoints.wanting(event=MERCHANT.name, merchant_ids=merchant_ids)
        news = [
            News(one.merchant_id, MERCHANT.name, one.merchant.merchant_no, one.merchant.status)
            for one in moved
        ]
        deliveries.tell(list(dict.fromkeys(news)), at=payload["at"])
    elif event in _OF_ACCOUNTS:
        account = BankAccount.objects.get(
            merchant_id=merchant_ids[0], id=payload["bank_account_id"]
        )
        state = "REPLACED" if event == "bank_account_replaced" else str(account.status)
        one = News(account.merchant_id, BANK_ACCOUNT.name, str(account.uuid), state)
        deliveries.tell([one], at=payload["at"])
