"""What every act of a merchant's people on its own keys and webhooks begins with."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.utils.translation import gettext as _

from config.errors import NotFound
from foundation.models import User
from foundation.money import Money
from merchants.models import Ability, Merchant
from merchants.services import membership as memberships
from merchants.services import verification_token as tokens

NOTHING: Final = Money(0, "CNY")  # no money moves


def managed(merchant_id: int, by: User) -> Merchant:
    """Return the merchant, which the person manages. Raises Forbidden, NotFound. Rule: MER-7."""
    memberships.require(merchant_id=merchant_id, user=by, ability=Ability.MANAGE)
    merchant = Merchant.objects.filter(id=merchant_id).first()
    if merchant is None:
        raise NotFound(_("There is no such merchant."))
    return merchant


def consume(
    merchant_id: int, by: User, token: str, operation: str, payee: str, at: datetime
) -> None:
    """Use up the token of an act that pays nobody. Raises TokenRefused, Forbidden. Rule: VER-3."""
    tokens.consume(
        merchant_id=merchant_id,
        user=by,
        token=token,
        operation=operation,
        amount=NOTHING,
        payee=payee,
        at=at,
    )
