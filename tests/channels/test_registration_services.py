"""Asking channels for registrations, sending them, and what the channels said (REG-1 to REG-6)."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from channels.adapters import registration as adapter
from channels.adapters.registration import Answer, AskByHand, Said, Submission
from channels.models import Channel, Registration
from channels.models.registration import TRANSITIONS, State
from channels.selectors import registration as selectors
from channels.services import registration as registrations
from config.errors import NotFound
from merchants.models import ApplicationEvidence, Merchant
from tests.factories import merchant_state, paper
from tests.factories import registration as given
from tests.factories.merchants import MerchantFactory
from tests.factories.registration import AT, clerk

pytestmark = pytest.mark.django_db
GUARD = "channels_registration_guard"
LATER = AT + timedelta(hours=1)


@pytest.fixture
def channel() -> Channel:
    return given.channel()


@pytest.fixture
def merchant() -> Merchant:
    return MerchantFactory.create()


def request_all(merchant: Merchant) -> list[str]:
    made = registrations.request_all(merchant_id=merchant.id, by=clerk(), at=AT)
    return [f"{one.channel} {one.product_id} {one.attempt_no}" for one in made]


class TestAskingForAll:
    def test_follows_the_worked_table(self):
        """The table of docs/rules/channel_registrations.md."""
        merchant = paper.approved(products=["qr", "card"])
        wechat, alipay = given.channel("wechat"), given.channel("alipay", "qr", "online")
        given.channel("unionpay", "card")

        assert request_all(merchant) == ["alipay qr 1", "unionpay card 1", "wechat qr 1"]
        assert request_all(merchant) == []

        given.answered(
            given.submitted(merchant, wechat), Answer(Said.REFUSED, "licence unreadable")
        )
        sent = given.submitted(merchant, alipay, reference="AL-1")
        given.answered(sent, Answer(Said.APPROVED, "", "2088001"))
        assert request_all(merchant) == []

        assert given.requested(merchant, wechat).attempt_no == 2
        assert [
            (str(one.channel), one.attempt_no, one.state) for one in
            reversed(selectors.of_merchant(merchant.id))
        ] == [
            ("alipay", 1, "APPROVED"), ("unionpay", 1, "REQUESTED"), ("wechat", 1, "REFUSED"),
            ("wechat", 2, "REQUESTED"),
        ]  # fmt: skip

    def test_keeps_what_it_was_asked_with(self):
        merchant = paper.approved(products=["qr"])
        row = given.requested(merchant, given.channel())
        evidence = ApplicationEvidence.objects.get(application_id=merchant.stands_on)

        assert (row.application_id, row.application_version) == (merchant.stands_on, 1)
        assert row.evidence_sha256 == evidence.sha256
        assert (row.reviewed_by_whom, row.settled_by_whom, row.loss_borne_by) == (
            "CHANNEL", "HOUSE", "CHANNEL",
        )  # fmt: skip


class TestAskingForOne:
    def test_returns_the_live_one(self, merchant, channel):
        first = given.requested(merchant, channel)

        assert given.requested(merchant, channel).pk == first.pk
        assert [step.to_state for step in selectors.steps(first)] == ["REQUESTED"]

    def test_refuses_what_is_not_agreed(self, channel):
        merchant = paper.approved(products=["card"])

        for product in ("qr", "card", "nothing"):
            with pytest.raises(registrations.NotOffered):
                given.requested(merchant, channel, product)

    @pytest.mark.parametrize("status", ["FROZEN", "CLOSING"])
    def test_refuses_merchants_that_are_not_in_force(self, merchant, channel, status):
        merchant_state.stand(merchant.pk, status)

        with pytest.raises(registrations.MerchantNotInForce):
            given.requested(merchant, channel)

    def test_refuses_an_unknown_merchant(self, channel):
        with pytest.raises(NotFound):
            registrations.request_all(merchant_id=10**9, by=clerk(), at=AT)


class TestSubmitting:
    def test_keeps_the_reference(self, merchant, channel):
        row = given.submitted(merchant, channel, reference=" WX-7 ")

        assert (row.state, row.reference, row.submitted_at) == ("SUBMITTED", "WX-7", AT)

    @pytest.mark.parametrize("reference", ["", "  ", "x" * 101, "a\nb"])
    def test_needs_one(self, merchant, channel, reference):
        with pytest.raises(registrations.AnswerMalformed):
            given.submitted(merchant, channel, reference=reference)

        assert Registration.objects.get().state == "REQUESTED"

    def test_is_done_once(self, merchant, channel):
        row = given.submitted(merchant, channel)
        words = {"merchant_id": merchant.id, "registration_id": row.pk, "by": clerk(), "at": LATER}

        assert registrations.submit(reference="WX-1", **words).submitted_at == AT
        with pytest.raises(registrations.IllegalStep):
            registrations.submit(reference="WX-2", **words)

    def test_of_another_merchants_is_not_found(self, merchant, channel):
        row = given.requested(merchant, channel)
        other = MerchantFactory.create()

        with pytest.raises(NotFound):
            registrations.submit(
                merchant_id=other.pk, registration_id=row.pk, reference="x", by=clerk(), at=AT
            )


class TestAsking:
    def test_writes_down_that_nothing_is_decided(self, merchant, channel):
        row = given.submitted(merchant, channel)

        asked = given.answered(row, Answer(Said.PENDING, "in process"), LATER)

        assert (asked.state, asked.moved_at, asked.answer) == ("SUBMITTED", LATER, "")
        assert [(one.to_state, one.text) for one in selectors.steps(row)][-1] == (
            "SUBMITTED", "in process",
        )  # fmt: skip

    def test_approves_with_the_channels_number(self, merchant, channel):
        row = given.approved(merchant, channel, " １９00001 ")

        assert (row.state, row.channel_merchant_no, row.answered_at) == ("APPROVED", "1900001", AT)

    def test_refuses_in_the_channels_words(self, merchant, channel):
        row = given.refused(merchant, channel, "门头照片不清晰")

        assert (row.state, row.answer) == ("REFUSED", "门头照片不清晰")
        assert selectors.steps(row)[-1].text == "门头照片不清晰"

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(Said.REFUSED, ""),
            Answer(Said.REFUSED, "x" * 501),
            Answer(Said.REFUSED, "no", "1900001"),
            Answer(Said.PENDING, ""),
            Answer(Said.APPROVED, "", ""),
            Answer(Said.APPROVED, "", "1" * 65),
            Answer(Said.APPROVED, "", "19 00"),
            Answer(Said.APPROVED, "", "号1900"),
        ],
    )
    def test_needs_what_the_answer_asks(self, merchant, channel, answer):
        row = given.submitted(merchant, channel)

        with pytest.raises(registrations.AnswerMalformed):
            given.answered(row, answer)

        assert Registration.objects.get(pk=row.pk).state == "SUBMITTED"

    def test_takes_500_characters(self, merchant, channel):
        assert len(given.refused(merchant, channel, "字" * 500).answer) == 500

    def test_hears_the_same_twice_without_a_change(self, merchant, channel):
        row = given.approved(merchant, channel)

        again = given.answered(row, Answer(Said.APPROVED, "", "1900001"), LATER)

        assert (again.answered_at, len(selectors.steps(row))) == (AT, 3)

    def test_refuses_another_answer_afterwards(self, merchant, channel):
        row = given.approved(merchant, channel)

        for answer in (
            Answer(Said.REFUSED, "no"),
            Answer(Said.APPROVED, "", "1900002"),
            Answer(Said.PENDING, "wait"),
        ):
            with pytest.raises(registrations.IllegalStep):
                given.answered(row, answer)

    def test_refuses_another_merchants_number(self, merchant, channel):
        given.approved(merchant, channel, "1900001")

        with pytest.raises(registrations.NumberTaken):
            given.approved(MerchantFactory.create(), channel, "1900001")

    def test_is_for_what_was_submitted(self, merchant, channel):
        row = given.requested(merchant, channel)

        with pytest.raises(registrations.IllegalStep):
            given.answered(row, Answer(Said.APPROVED, "", "1"))
        with pytest.raises(registrations.IllegalStep):
            registrations.record_answer(
                merchant_id=merchant.id, registration_id=row.pk, by=clerk(), at=AT,
                answer=Answer(Said.PENDING, "wait"),
            )  # fmt: skip

    def test_is_a_persons_where_the_channel_has_no_desk(self, merchant, channel):
        row = given.submitted(merchant, channel)

        with pytest.raises(AskByHand):
            registrations.query_status(
                merchant_id=merchant.id, registration_id=row.pk, by=clerk(), at=AT
            )

    def test_goes_to_the_channels_own_desk_before_any_lock(self, merchant, channel, monkeypatch):
        row, heard = given.submitted(merchant, channel), []
        depth = len(connection.savepoint_ids)

        class Own:
            def ask(self, submission: Submission, written: Answer | None) -> Answer:
                heard.append((submission, len(connection.savepoint_ids) - depth))
                return Answer(Said.APPROVED, "", "1900009")

        monkeypatch.setitem(adapter.desks._items, "wechat", Own())
        done = registrations.query_status(
            merchant_id=merchant.id, registration_id=row.pk, by=clerk(), at=AT
        )

        assert heard == [(Submission("wechat", merchant.merchant_no, "qr", "WX-1"), 0)]
        assert done.channel_merchant_no == "1900009"


class TestTheTable:
    def test_is_what_the_database_allows(self):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT prosrc FROM pg_proc WHERE proname = 'channels_registration_guard'"
            )
            text = cursor.fetchone()[0]

        for before in State:
            for after in State:
                allowed = f"('{before}', '{after}')" in text
                assert allowed is (after in TRANSITIONS[before]), (before, after)


class TestTermsByCommand:
    ARGS = ("--reviews", "CHANNEL", "--settles", "HOUSE", "--loss", "HOUSE")

    def test_are_set_once_and_may_be_said_again(self):
        Channel.objects.create(code="wechat", created_at=AT)
        for _ in range(2):
            out = StringIO()
            call_command("channel_terms", "wechat", "--registers", "card,qr", *self.ARGS,
                         stdout=out)  # fmt: skip

        channel = Channel.objects.get(code="wechat")
        assert (channel.registers, channel.loss_borne_by) == (["card", "qr"], "HOUSE")
        assert "registers=['card', 'qr']" in out.getvalue()

    def test_change_by_two_persons_alone(self, channel):
        with pytest.raises(CommandError, match=r"wechat"):
            call_command("channel_terms", "wechat", "--registers", "card,qr", *self.ARGS)

        channel.refresh_from_db()
        assert channel.registers == ["qr"]

    @pytest.mark.parametrize("words", [("nobody",), ("wechat", "--registers", "nothing")])
    def test_refuse_what_is_unknown(self, channel, words):
        with pytest.raises(CommandError, match=r"nobody|nothing"):
            call_command("channel_terms", *words, *self.ARGS)
