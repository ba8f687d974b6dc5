"""Staff work registrations off: page of a merchant, list, steps, queues on the overview."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from channels.adapters.registration import Answer, Said
from channels.admin import registration as screen
from channels.models import Channel, Registration
from foundation import clock
from foundation.models import User
from merchants.models import Merchant
from tests.factories import merchant_state, paper
from tests.factories import registration as given
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db
LIST = "admin:channels_registration_changelist"


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


def door(role: str, language: str = "en") -> Client:
    user: User = UserFactory(is_staff=True, language=language)
    user.groups.set(Group.objects.filter(name=role))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def operator() -> Client:
    return door("operator")


@pytest.fixture
def channel() -> Channel:
    return given.channel()


@pytest.fixture
def merchant() -> Merchant:
    return MerchantFactory.create()


def ask_page(merchant: Merchant) -> str:
    return reverse("admin:channels_registration_request", args=[merchant.pk])


def page(row: Registration) -> str:
    return reverse("admin:channels_registration_change", args=[row.pk])


def step(client: Client, row: Registration, name: str, **words: str) -> str:
    address = reverse("admin:channels_registration_step", args=[row.pk, name])
    answer = client.post(address, words, follow=True)
    assert answer.status_code == 200
    row.refresh_from_db()
    return answer.content.decode()


class TestAsking:
    def test_is_offered_on_the_merchants_page_and_chosen_already(self, operator, channel):
        merchant = paper.approved(products=["qr", "card"])
        given.channel("unionpay", "card")
        shop = operator.get(reverse("admin:merchants_merchant_change", args=[merchant.pk]))
        assert ask_page(merchant) in shop.content.decode()

        form = operator.get(ask_page(merchant))
        assert form.context["form"].initial["wanted"] == [
            f"{Channel.objects.get(code='unionpay').pk}:card", f"{channel.pk}:qr",
        ]  # fmt: skip
        answer = operator.post(
            ask_page(merchant), {"wanted": form.context["form"].initial["wanted"]}, follow=True
        )

        assert "2 registrations asked for." in answer.content.decode()
        assert Registration.objects.filter(merchant=merchant, state="REQUESTED").count() == 2

    def test_refuses_nothing_chosen_and_what_is_not_offered_beside_the_field(
        self, operator, merchant, channel
    ):
        for wanted in ([], ["999:qr"], [f"{channel.pk}:card"], ["x"]):
            answer = operator.post(ask_page(merchant), {"wanted": wanted})

            assert answer.status_code == 400
            assert "wanted" in answer.context["form"].errors
        assert not Registration.objects.exists()

    def test_says_that_nothing_is_left(self, operator, merchant):
        assert "Nothing is left to ask for" in operator.get(ask_page(merchant)).content.decode()

    def test_says_why_a_frozen_merchant_is_refused(self, operator, channel):
        merchant = MerchantFactory.create()
        merchant_state.stand(merchant.pk, "FROZEN")
        answer = operator.post(ask_page(merchant), {"wanted": [f"{channel.pk}:qr"]})

        assert answer.status_code == 400
        assert "nothing is registered for it" in answer.content.decode()

    def test_of_the_house_or_of_nobody_is_not_there(self, operator):
        house = Merchant.objects.get(kind="HOUSE")

        for key in (house.pk, 10**9):
            address = reverse("admin:channels_registration_request", args=[key])
            assert operator.get(address).status_code == 404


class TestSteps:
    def test_lead_from_asked_for_to_approved(self, operator, merchant, channel):
        row = given.requested(merchant, channel)

        said = step(operator, row, "submit", paper="WX-9")
        assert "it is with the channel" in said
        said = step(operator, row, "pending", reason="two more days")
        assert (row.state, "two more days" in said) == ("SUBMITTED", True)
        said = step(operator, row, "approved", reason="welcome", paper="1900007")

        assert (row.state, row.channel_merchant_no, row.answer) == (
            "APPROVED", "1900007", "welcome",
        )  # fmt: skip
        assert "The channel ended it" in said
        assert "It was sent to the channel" not in said

    def test_refuse_in_the_channels_words_which_the_page_escapes(self, operator, merchant, channel):
        row = given.submitted(merchant, channel)

        said = step(operator, row, "refused", reason="<b>no & never</b>")

        assert row.state == "REFUSED"
        assert "&lt;b&gt;no &amp; never&lt;/b&gt;" in said
        assert "<b>no" not in said

    def test_say_what_is_wrong_and_change_nothing(self, operator, merchant, channel):
        row = given.submitted(merchant, channel)

        assert "Please say why." in step(operator, row, "refused")
        assert "1 to 64 characters" in step(operator, row, "approved", paper="1" * 65)
        assert "cannot become" in step(operator, row, "submit", paper="other")
        assert row.state == "SUBMITTED"

    @pytest.mark.parametrize("role", ["reviewer", "checker", "finance", "auditor"])
    def test_are_the_operators_alone(self, merchant, channel, role):
        row = given.submitted(merchant, channel)
        client = door(role)

        assert client.get(page(row)).status_code == 200
        assert "step-button" not in client.get(page(row)).content.decode()
        address = reverse("admin:channels_registration_step", args=[row.pk, "refused"])
        assert client.post(address, {"reason": "no"}).status_code == 403
        assert client.get(ask_page(merchant)).status_code == 403


class TestWhatIsShown:
    def test_on_the_merchants_page_says_who_answers_for_what(self, operator, merchant, channel):
        given.refused(merchant, channel, "photo <unclear>")
        address = reverse("admin:merchants_merchant_change", args=[merchant.pk])
        text = operator.get(address).content.decode()

        for said in ("refused by the channel", "photo &lt;unclear&gt;", "who bears losses",
                     "the channel"):  # fmt: skip
            assert said in text

    def test_on_the_merchants_page_costs_the_same_for_many(self, operator, merchant):
        address = reverse("admin:merchants_merchant_change", args=[merchant.pk])
        given.requested(merchant, given.channel("c0"))
        operator.get(address)
        with CaptureQueriesContext(connection) as few:
            operator.get(address)
        for number in range(1, 8):
            given.requested(merchant, given.channel(f"c{number}"))
        with CaptureQueriesContext(connection) as many:
            operator.get(address)

        assert len(many) == len(few)

    def test_in_chinese(self, merchant, channel):
        row = given.refused(merchant, channel, "证照不清晰")
        client = door("operator", "zh-hans")

        shop = reverse("admin:merchants_merchant_change", args=[merchant.pk])

        for address in (page(row), reverse(LIST), shop):
            text = client.get(address).content.decode()
            assert "渠道已拒绝" in text
            assert "证照不清晰" in text

    def test_by_state_channel_silence_and_number(self, operator, merchant, channel):
        now = clock.now()
        other = given.channel("alipay")
        silent = given.submitted(merchant, channel, at=now - timedelta(days=8))
        given.submitted(MerchantFactory.create(), other, at=now, reference="AL-1")
        done = given.approved(MerchantFactory.create(), channel, "1900055")

        def listed(query: str) -> list[int]:
            rows = operator.get(f"{reverse(LIST)}?{query}").context["cl"].result_list
            return [row.pk for row in rows]

        assert listed("state=SILENT") == [silent.pk]
        assert listed("state=APPROVED") == [done.pk]
        assert listed("channel=wechat") == [done.pk, silent.pk]
        assert listed("channel=wechat&state=SUBMITTED") == [silent.pk]
        assert listed("channel=nobody") == []
        assert listed(f"merchant_no={merchant.merchant_no}") == [silent.pk]
        assert listed("q=1900055") == [done.pk]
        assert len(listed("q=AL-1")) == 1

    def test_costs_the_same_for_many(self, operator):
        given.requested(MerchantFactory.create(), given.channel("c0"))
        operator.get(reverse(LIST))
        with CaptureQueriesContext(connection) as few:
            operator.get(reverse(LIST))
        for number in range(8):
            given.requested(MerchantFactory.create(), given.channel(f"c{number}"))
        with CaptureQueriesContext(connection) as many:
            operator.get(reverse(LIST))

        assert len(many) == len(few)

    def test_leads_to_the_application_it_was_asked_with(self, operator, channel):
        merchant = paper.approved(products=["qr"])
        row = given.requested(merchant, channel)
        there = reverse("admin:merchants_application_change", args=[merchant.stands_on])

        assert there in operator.get(page(row)).content.decode()

    def test_a_channels_page_says_its_terms(self, operator):
        channel = given.channel("wechat", "qr", "online")
        text = operator.get(
            reverse("admin:channels_channel_change", args=[channel.pk])
        ).content.decode()

        assert "online, qr" in text
        assert "who bears losses" in text.lower()


class TestTheOverview:
    def test_names_what_waits_for_us_and_what_the_channel_owes(self, merchant, channel):
        now, user = clock.now(), UserFactory()
        given.requested(merchant, given.channel("alipay"), at=now)
        late = given.submitted(merchant, channel, at=now - timedelta(days=8))
        given.submitted(MerchantFactory.create(), channel, at=now - timedelta(days=6))

        (to_submit,), (unanswered,) = screen.to_submit(user), screen.unanswered(user)
        assert (to_submit.count, to_submit.oldest_at) == (1, now)
        assert (unanswered.count, unanswered.oldest_at) == (1, late.moved_at)
        assert "7 days" in unanswered.title

        given.answered(late, Answer(Said.PENDING, "soon"), now)  # asked: the time begins anew
        assert list(screen.unanswered(user)) == []

    def test_is_silent_when_nothing_waits(self):
        user = UserFactory()

        assert [*screen.to_submit(user), *screen.unanswered(user)] == []
