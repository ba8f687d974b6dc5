"""Accounts as they are opened."""

from __future__ import annotations

import pytest

from ledger.models import Account
from ledger.services.account import Slice, open_slices
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db


def test_the_account_that_most_entries_share_is_locked_after_the_slices() -> None:
    """Whatever was opened first (LG-12); the lock order is the ascending id."""
    merchant = MerchantFactory()
    whole = Slice("merchant_pending", "CNY")
    slices = [Slice("channel_receivable", "CNY", "channel", f"wx{n}") for n in range(3)]

    first = open_slices(merchant_id=merchant.id, slices=[whole])
    later = open_slices(merchant_id=merchant.id, slices=slices)

    assert first[whole] > max(later.values())
    assert open_slices(merchant_id=merchant.id, slices=[whole, *slices]) == {**first, **later}


def test_opening_what_is_open_already_makes_nothing() -> None:
    merchant = MerchantFactory()
    both = [Slice("merchant_pending", "CNY"), Slice("merchant_available", "CNY")]

    open_slices(merchant_id=merchant.id, slices=both)
    open_slices(merchant_id=merchant.id, slices=[*both, *both])

    assert Account.objects.filter(merchant_id=merchant.id).count() == 2
