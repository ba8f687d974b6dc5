"""The demo leaves registrations in every state, once."""

from __future__ import annotations

from collections import Counter

import pytest

from channels.models import Channel, Registration
from settlement.demo import registrations
from tests.factories.merchants import MerchantFactory
from tests.factories.registration import AT, clerk

pytestmark = pytest.mark.django_db


def test_are_left_once_in_every_state() -> None:
    for code in ("wechat", "alipay", "unionpay", "netsunion"):
        Channel.objects.create(code=code, created_at=AT)
    merchants = [MerchantFactory.create() for _ in range(2)]

    for _ in range(2):
        registrations.make(merchants, by=clerk(), at=AT)

    assert Counter(Registration.objects.values_list("state", flat=True)) == {
        "REQUESTED": 7, "SUBMITTED": 2, "APPROVED": 1, "REFUSED": 1,
    }  # fmt: skip
