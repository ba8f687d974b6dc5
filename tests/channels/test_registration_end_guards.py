"""What raw SQL as the product's role cannot do to the end of a registration, nor to its terms."""

from __future__ import annotations

import pytest

from channels.models import Channel, Registration
from channels.services import channel as channels
from channels.services import registration_end as ends
from merchants.models import Merchant
from tests.channels.test_registration_guards import SENT, again, move
from tests.factories import merchant_state
from tests.factories import registration as given
from tests.factories.approval import approve
from tests.factories.merchants import MerchantFactory
from tests.factories.registration import AT, clerk
from tests.raw_sql import checked, refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel() -> Channel:
    return given.channel()


@pytest.fixture
def merchant() -> Merchant:
    return MerchantFactory.create()


def end(how: str, approval: object = "NULL", reason: str = "over") -> str:
    return (
        f", ended_at = now(), ended_how = '{how}', end_reason = '{reason}',"
        f" end_approval_id = {approval}"
    )


class TestAnEnd:
    def test_by_us_is_what_two_persons_decided(self, merchant, channel):
        row = given.approved(merchant, channel)
        other = given.approved(merchant, given.channel("alipay"))
        open_, approved = (
            ends.propose_end(
                merchant_id=merchant.pk, registration_id=one.pk, reason="over", maker=clerk(), at=AT
            )
            for one in (row, other)
        )
        approve(approved, at=AT)

        for approval in (open_.pk, approved.pk, 1):
            with refused("registration_end_not_approved"):
                move(row, "ENDED", end("HOUSE", approval), text="over")
        with refused("registration_says_how_it_ended"):
            move(row, "ENDED", end("CHANNEL", open_.pk), text="over")

    def test_with_closing_is_of_a_merchant_that_is_closed(self, merchant, channel):
        row = given.approved(merchant, channel)

        with refused("registration_end_not_approved"):
            move(row, "ENDED", end("CLOSING"), text="over")

    def test_by_a_later_attempt_needs_one(self, merchant, channel):
        row = given.approved(merchant, channel)

        with refused("registration_not_replaced"):
            move(row, "ENDED", end("REPLACED", reason=""))

    def test_says_how_and_changes_nothing_that_was_said(self, merchant, channel):
        row = given.approved(merchant, channel)
        sent = given.submitted(merchant, given.channel("alipay"))

        with refused("registration_says_how_it_ended"):
            move(row, "ENDED", ", ended_at = now(), end_reason = 'over'", text="over")
        with refused("registration_fixed"):
            move(row, "ENDED", end("CHANNEL") + ", channel_merchant_no = '2'", text="over")
        with refused("registration_fixed"):
            more = ", ended_at = now(), end_reason = 'over', reference = 'WX-2'"
            move(sent, "WITHDRAWN", more, text="over")

    def test_leads_nowhere(self, merchant, channel):
        row = given.approved(merchant, channel)
        words = {"merchant_id": merchant.pk, "registration_id": row.pk}
        done = ends.ended_by_channel(text="over", by=clerk(), at=AT, **words)

        for to in ("APPROVED", "SUBMITTED", "ENDED"):
            with refused("registration_illegal_step"):
                move(done, to)


class TestWhatIsOutdated:
    def test_is_noted_by_a_change_alone(self, merchant, channel):
        row = given.approved(merchant, channel)

        with refused("registration_fixed"):
            checked("UPDATE channels_registration SET outdated_at = now() WHERE id = %s", row.pk)

    def test_alone_is_asked_for_beside_an_approved_one(self, merchant, channel):
        row = given.approved(merchant, channel)

        with refused("registration_one_live"):
            again(row)


class TestSending:
    @pytest.mark.parametrize("status", ["FROZEN"])
    def test_is_of_merchants_in_force(self, merchant, channel, status):
        row = given.requested(merchant, channel)
        merchant_state.stand(merchant.pk, status)

        with refused("registration_merchant"):
            move(row, "SUBMITTED", SENT)

    def test_is_to_who_registers_for_it(self, merchant, channel):
        row = given.requested(merchant, channel)
        approve(
            channels.propose(
                code="wechat", registers=[], reviews="", settles="", bears_loss="", reason="over",
                maker=clerk(), at=AT,
            ),
            at=AT,
        )  # fmt: skip

        with refused("registration_terms"):
            move(row, "SUBMITTED", SENT)


class TestAMerchant:
    def test_is_not_closed_while_a_channel_has_it(self, merchant, channel):
        given.approved(merchant, channel)
        merchant_state.stand(merchant.pk, "CLOSING")

        with refused("registration|not_closable|NotClosable|state_not_approved|merchant_"):
            checked("UPDATE merchants_merchant SET status = 'CLOSED' WHERE id = %s", merchant.pk)
        assert Registration.objects.get().state == "APPROVED"


class TestTheTermsOfAChannel:
    def test_change_as_two_persons_decided(self, channel):
        proposed = channels.propose(
            code="wechat", registers=["qr"], reviews="HOUSE", settles="HOUSE", bears_loss="HOUSE",
            reason="new contract", maker=clerk(), at=AT,
        )  # fmt: skip
        change = (
            "UPDATE channels_channel SET reviewed_by_whom = 'HOUSE', loss_borne_by = %s,"
            " terms_approval_id = %s WHERE id = %s"
        )

        with refused("channel_terms_not_agreed"):
            checked(change, "HOUSE", proposed.pk, channel.pk)  # nobody decided yet
        approve(proposed, at=AT)
        channel.refresh_from_db()
        assert channel.loss_borne_by == "HOUSE"
        for bearer, approval in (("CHANNEL", proposed.pk), ("MERCHANT", None)):
            with refused("channel_terms_not_agreed"):
                checked(change, bearer, approval, channel.pk)
        with refused("channel_terms_not_agreed"):  # nor back to none, as if there never were any
            checked(
                "UPDATE channels_channel SET registers = '{}', reviewed_by_whom = '',"
                " settled_by_whom = '', loss_borne_by = '', terms_approval_id = NULL WHERE id = %s",
                channel.pk,
            )

    def test_begin_with_a_line_in_the_trail(self):
        bare = Channel.objects.create(code="bare", created_at=AT)
        words = "reviewed_by_whom = 'HOUSE', settled_by_whom = 'HOUSE'"

        with refused("channel_terms_whole"):
            checked(f"UPDATE channels_channel SET {words} WHERE id = %s", bare.pk)
        with refused("channel_terms_not_audited"):
            checked(
                f"UPDATE channels_channel SET {words}, loss_borne_by = 'HOUSE' WHERE id = %s",
                bare.pk,
            )
        with refused("channel_terms_not_agreed"):
            Channel.objects.create(
                code="ready", created_at=AT, reviewed_by_whom="HOUSE", settled_by_whom="HOUSE",
                loss_borne_by="HOUSE",
            )  # fmt: skip

    def test_keep_the_channels_code(self, channel):
        with refused("channel_fixed"):
            checked("UPDATE channels_channel SET code = 'other' WHERE id = %s", channel.pk)
