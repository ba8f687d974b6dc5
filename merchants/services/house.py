"""The house: the one merchant row whose book holds what belongs to no merchant."""

from __future__ import annotations

from merchants.models import Merchant

MERCHANT_NO = "HOUSE"


def house() -> Merchant:
    """
    Return the house's row, which a migration makes.

    Raises Merchant.DoesNotExist where the migrations have not run: nothing can be booked then.
    """
    return Merchant.objects.get(kind=Merchant.Kind.HOUSE)
