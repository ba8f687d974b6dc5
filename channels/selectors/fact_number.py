"""What payments and refunds are called, and their numbers, for pages of lower floors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from channels.models import Payment, Refund

NAMES: Final[Mapping[str, Promise]] = {
    "payment": pgettext_lazy("cause", "payment"),
    "refund": pgettext_lazy("cause", "refund"),
    "clearing": pgettext_lazy("cause", "clearing"),
}


def of_payments(*, merchant_id: int, fact_ids: Sequence[int]) -> Mapping[int, str]:
    """Return payment numbers by id (registries.fact_namers)."""
    found = Payment.objects.filter(merchant_id=merchant_id, id__in=fact_ids)
    return dict(found.values_list("id", "payment_no"))


def of_refunds(*, merchant_id: int, fact_ids: Sequence[int]) -> Mapping[int, str]:
    """Return refund numbers by id (registries.fact_namers)."""
    found = Refund.objects.filter(merchant_id=merchant_id, id__in=fact_ids)
    return dict(found.values_list("id", "refund_no"))
