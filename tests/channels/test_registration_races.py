"""Two clerks at once: nothing is asked for twice, and no number becomes two merchants'."""

from __future__ import annotations

from channels.adapters.registration import Answer, Said
from channels.models import Registration
from channels.services import registration as registrations
from tests.factories import registration as given
from tests.factories.merchants import MerchantFactory
from tests.factories.registration import AT, clerk
from tests.racing import at_once


def test_what_two_ask_for_is_asked_for_once(cloned_db: str) -> None:
    merchant, people = MerchantFactory.create(), [clerk() for _ in range(4)]
    given.channel("wechat", "qr", "card")

    ended = at_once(
        *[
            lambda who=who: registrations.request_all(merchant_id=merchant.pk, by=who, at=AT)
            for who in people
        ]
    )

    assert ended == {"done": 4}
    assert Registration.objects.filter(merchant=merchant).count() == 2


def test_a_number_said_of_two_merchants_becomes_one_merchants(cloned_db: str) -> None:
    channel = given.channel()
    rows = [given.submitted(MerchantFactory.create(), channel) for _ in range(2)]

    ended = at_once(
        *[lambda row=row: given.answered(row, Answer(Said.APPROVED, "", "1900001")) for row in rows]
    )

    assert ended == {"done": 1, "NumberTaken": 1}
    assert Registration.objects.filter(state="APPROVED").count() == 1
    assert Registration.objects.filter(state="SUBMITTED").count() == 1
