"""Reading about payment passwords; never the password."""

from __future__ import annotations

from foundation.models import User
from merchants.models import PaymentPassword


def is_set(*, merchant_id: int, user: User) -> bool:
    """Return whether a person has a payment password with a merchant."""
    return PaymentPassword.objects.filter(merchant_id=merchant_id, user=user).exists()
