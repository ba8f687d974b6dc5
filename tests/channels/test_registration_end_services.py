"""How registrations end, and what a change of their merchant makes of them (REG-9 to REG-12)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from channels.adapters.registration import Answer, Said
from channels.models import Channel, Registration, RegistrationTransition
from channels.selectors import registration as selectors
from channels.services import registration as registrations
from channels.services import registration_end as ends
from foundation.models import Approval
from foundation.services import approval as approvals
from merchants.models import Merchant
from merchants.services import merchant_state as states
from settlement.selectors import closing
from tests.factories import application_change as changes
from tests.factories import merchant_state
from tests.factories import registration as given
from tests.factories.approval import approve
from tests.factories.merchants import MerchantFactory
from tests.factories.registration import AT, clerk

pytestmark = pytest.mark.django_db
LATER = AT + timedelta(hours=1)


@pytest.fixture
def channel() -> Channel:
    return given.channel()


@pytest.fixture
def merchant() -> Merchant:
    return MerchantFactory.create()


def changed(shop: Merchant, kind: str = "CHANGE", **content: object) -> None:
    """Let two persons approve a change, or a re-review, of a merchant."""
    maker, reviewer, checker = (changes.somebody() for _ in range(3))
    _row, approval = changes.proposed(shop, maker, reviewer, kind=kind, **content)
    changes.decide(approval, checker)


def key(row: Registration) -> dict[str, int]:
    return {"merchant_id": row.merchant_id, "registration_id": row.pk}


def fresh(row: Registration) -> Registration:
    return Registration.objects.get(pk=row.pk)


def propose_end(row: Registration, reason: str = "fraud there") -> Approval:
    return ends.propose_end(**key(row), reason=reason, maker=clerk(), at=AT)


class TestWithdrawing:
    @pytest.mark.parametrize("make", [given.requested, given.submitted])
    def test_takes_back_what_has_no_answer(self, merchant, channel, make):
        row = make(merchant, channel)
        done = ends.withdraw(**key(row), reason=" asked twice ", by=clerk(), at=LATER)

        assert (done.state, done.end_reason, done.ended_at) == ("WITHDRAWN", "asked twice", LATER)
        assert selectors.steps(row)[-1].text == "asked twice"
        assert given.requested(merchant, channel).attempt_no == 2

    def test_changes_nothing_twice_and_nothing_after_an_answer(self, merchant, channel):
        row = given.requested(merchant, channel)
        for at in (AT, LATER):
            done = ends.withdraw(**key(row), reason="no", by=clerk(), at=at)
        assert (done.ended_at, len(selectors.steps(row))) == (AT, 2)

        with pytest.raises(registrations.IllegalStep):
            ends.withdraw(**key(row), reason="other", by=clerk(), at=AT)
        answered = given.approved(merchant, channel)
        with pytest.raises(registrations.IllegalStep):
            ends.withdraw(**key(answered), reason="no", by=clerk(), at=AT)


class TestEndingAnApprovedOne:
    def test_by_the_channel_is_written_down(self, merchant, channel):
        row = given.approved(merchant, channel)

        done = ends.ended_by_channel(**key(row), text="no turnover", by=clerk(), at=LATER)

        assert (done.state, done.ended_how, done.end_reason) == ("ENDED", "CHANNEL", "no turnover")
        assert done.channel_merchant_no == "1900001"

    def test_by_us_needs_another_person(self, merchant, channel):
        row = given.approved(merchant, channel)
        approval = propose_end(row)
        assert fresh(row).state == "APPROVED"

        with pytest.raises(approvals.SelfApprovalForbidden):
            approvals.decide(
                approval_id=approval.id, merchant_id=merchant.id, checker=approval.maker,
                approve=True, reason="", seen_sha256=approval.content_sha256, at=AT,
            )  # fmt: skip
        approve(approval, at=LATER)

        done = fresh(row)
        assert (done.state, done.ended_how, done.end_approval_id) == ("ENDED", "HOUSE", approval.id)
        assert (done.end_reason, done.ended_at) == ("fraud there", LATER)

    def test_is_not_decided_when_it_has_ended_meanwhile(self, merchant, channel):
        row = given.approved(merchant, channel)
        approval = propose_end(row)
        ends.ended_by_channel(**key(row), text="over", by=clerk(), at=AT)

        with pytest.raises(registrations.IllegalStep):
            approve(approval, at=AT)
        approval.refresh_from_db()
        assert approval.state == "PROPOSED"

    def test_is_of_approved_ones_alone(self, merchant, channel):
        row = given.submitted(merchant, channel)

        for call in (
            lambda: propose_end(row),
            lambda: ends.ended_by_channel(**key(row), text="over", by=clerk(), at=AT),
        ):
            with pytest.raises(registrations.IllegalStep):
                call()

    def test_of_a_merchant_that_goes_on_is_nobodys_alone(self, merchant, channel):
        row = given.approved(merchant, channel)

        with pytest.raises(ends.EndNeedsTwo):
            ends.end_with_closing(**key(row), reason="told", by=clerk(), at=AT)


class TestAChangeOfTheMerchant:
    def test_outdates_what_the_channel_knows_otherwise(self, channel):
        shop, other = changes.merchant(), given.channel("unionpay", "card")
        rows = [given.approved(shop, channel), given.submitted(shop, other, "card")]

        changed(shop)  # its name

        assert all(fresh(row).outdated_at for row in rows)
        assert not RegistrationTransition.objects.filter(sequence__gt=3).exists()

    def test_leaves_what_says_the_same(self, channel):
        shop = changes.merchant()
        row = given.approved(shop, channel)

        changed(shop, kind="REVIEW")

        assert fresh(row).outdated_at is None
        assert given.requested(shop, channel).pk == row.pk

    def test_outdates_a_product_that_is_no_longer_agreed(self, channel):
        shop = changes.merchant()
        row = given.approved(shop, channel)

        changed(shop, products=["card"])

        assert fresh(row).outdated_at is not None
        with pytest.raises(registrations.NotOffered):
            given.requested(shop, channel)

    def test_lets_nobody_send_what_the_merchant_was(self, channel):
        shop = changes.merchant()
        row = given.requested(shop, channel)
        changed(shop, city="绍兴")

        with pytest.raises(registrations.Outdated):
            registrations.submit(**key(row), reference="WX-1", by=clerk(), at=AT)
        again = given.requested(shop, channel)

        shop.refresh_from_db()
        assert (fresh(row).state, again.attempt_no) == ("WITHDRAWN", 2)
        assert again.application_id == shop.stands_on

    def test_keeps_the_former_approval_until_the_channel_approves_the_new(self, channel):
        shop = changes.merchant()
        former = given.approved(shop, channel, "1900001")
        changed(shop)  # its name

        later = given.submitted(shop, channel)
        assert (later.attempt_no, fresh(former).state) == (2, "APPROVED")
        given.answered(later, Answer(Said.APPROVED, "", "1900001"), LATER)

        done = fresh(former)
        assert (done.state, done.ended_how, done.ended_at) == ("ENDED", "REPLACED", LATER)
        assert given.requested(shop, channel).pk == later.pk


class TestClosingItsMerchant:
    def test_withdraws_what_nobody_sent_and_waits_for_the_rest(self, merchant, channel):
        unsent = given.requested(merchant, given.channel("alipay"))
        sent = given.submitted(merchant, given.channel("unionpay"))
        known = given.approved(merchant, channel)

        merchant_state.stand(merchant.pk, "CLOSING")

        assert fresh(unsent).state == "WITHDRAWN"
        assert fresh(sent).state == "SUBMITTED"
        (reason,) = closing.reasons(merchant_id=merchant.pk)
        assert (reason.code, reason.many) == ("registration", 2)

        ends.withdraw(**key(sent), reason="leaves", by=clerk(), at=AT)
        ends.end_with_closing(**key(known), reason="told by letter", by=clerk(), at=AT)
        assert fresh(known).ended_how == "CLOSING"
        assert closing.reasons(merchant_id=merchant.pk) == []
        merchant_state.move(states.END, [merchant.merchant_no])

    @pytest.mark.parametrize("status", ["FROZEN", "CLOSING"])
    def test_or_stopping_it_lets_nothing_be_sent(self, merchant, channel, status):
        row = given.requested(merchant, channel)
        merchant_state.stand(merchant.pk, status)

        refusal = registrations.MerchantNotInForce
        if status == "CLOSING":  # withdrawn with it
            refusal = registrations.IllegalStep
        with pytest.raises(refusal):
            registrations.submit(**key(row), reference="WX-1", by=clerk(), at=AT)
