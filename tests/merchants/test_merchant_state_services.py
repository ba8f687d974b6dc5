"""Freezing and restoring: one list, one decision, everyone back to where it was."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from foundation import registries
from foundation.models import Approval
from foundation.selectors.house import house_id
from foundation.services import approval as approvals
from merchants.models import Merchant, MerchantTransition
from merchants.selectors import merchant_state as selectors
from merchants.services import merchant_state as states
from tests.factories import merchant_state as make
from tests.factories.approval import approve
from tests.factories.foundation import UserFactory
from tests.factories.merchant_state import AT
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db


def where(*merchants: Merchant) -> list[str]:
    """Return the states of merchants as they are stored now."""
    found = dict(Merchant.objects.values_list("id", "status"))
    return [found[merchant.id] for merchant in merchants]


def decided(approval: Approval, checker: object) -> Approval:
    return approvals.decide(
        approval_id=approval.id,
        merchant_id=approval.merchant_id,
        checker=checker,  # type: ignore[arg-type]
        approve=True,
        reason="",
        seen_sha256=approval.content_sha256,
        at=AT,
    )


class TestOneMerchant:
    def test_is_frozen_by_another_person_and_not_before(self):
        shop = MerchantFactory()
        approval = make.propose(states.FREEZE, shop.merchant_no)
        assert where(shop) == ["ACTIVE"]

        approve(approval, at=AT)

        assert where(shop) == ["FROZEN"]
        move = MerchantTransition.objects.get(merchant=shop)
        assert (move.from_status, move.to_status, move.sequence) == ("ACTIVE", "FROZEN", 1)
        assert (move.reason, move.document, move.approval_id) == ("risk", "letter 1", approval.id)
        shop.refresh_from_db()
        notice = selectors.notice(shop, on=AT.date())
        assert notice is not None
        assert (notice.status, notice.since, notice.reason) == ("FROZEN", AT, "risk")

    def test_goes_back_step_by_step(self):
        shop = MerchantFactory()
        make.move(states.RESTRICT, [shop.merchant_no])
        make.move(states.FREEZE, [shop.merchant_no])

        make.move(states.RESTORE, [shop.merchant_no])
        assert where(shop) == ["RESTRICTED"]
        make.move(states.FREEZE, [shop.merchant_no])
        make.move(states.RESTORE, [shop.merchant_no])
        assert where(shop) == ["RESTRICTED"]
        make.move(states.RESTORE, [shop.merchant_no])
        assert where(shop) == ["ACTIVE"]
        assert selectors.notice(Merchant.objects.get(pk=shop.pk), on=AT.date()) is None

    def test_is_announced_to_the_floors_above(self, monkeypatch):
        heard = []
        monkeypatch.setattr(
            registries,
            "announce",
            lambda event, *, merchant_ids, payload: heard.append((event, list(merchant_ids))),
        )
        shop = MerchantFactory()

        make.move(states.RESTRICT, [shop.merchant_no])
        make.move(states.FREEZE, [shop.merchant_no])
        make.move(states.RESTORE, [shop.merchant_no])

        events = ("merchants.restricted", "merchants.frozen", "merchants.restored")
        assert heard == [(event, [shop.id]) for event in events]


class TestAList:
    @pytest.fixture
    def thousand(self) -> list[Merchant]:
        """1,000 merchants: every tenth restricted, every fiftieth frozen before."""
        shops = Merchant.objects.bulk_create(
            Merchant(merchant_no=f"B{n:05d}", name=f"店 {n}", created_at=AT) for n in range(1000)
        )
        make.move(states.RESTRICT, [shop.merchant_no for shop in shops[::10]])
        make.move(states.FREEZE, [shop.merchant_no for shop in shops[::50]])
        return shops

    def test_of_a_thousand_comes_back_to_every_former_state(self, thousand):
        before = where(*thousand)
        fresh = [shop for n, shop in enumerate(thousand) if n % 50]
        numbers = [shop.merchant_no for shop in fresh]
        proposal = make.propose(states.FREEZE, *numbers)
        assert proposal.merchant_id == house_id()
        assert proposal.before == {"status": "ACTIVE 900, RESTRICTED 80"}
        assert (proposal.after["count"], proposal.after["status"]) == (980, "FROZEN 980")

        with CaptureQueriesContext(
            connection,
        ) as queries:
            approve(proposal, at=AT)

        assert len(queries) < 40
        assert where(*thousand) == ["FROZEN"] * 1000
        make.move(states.RESTORE, numbers)
        assert where(*thousand) == before
        make.move(states.RESTORE, [shop.merchant_no for shop in thousand[::50]])
        assert where(*thousand[::10]) == ["RESTRICTED"] * 100

    def test_moves_whole_or_not_at_all(self):
        first, second = MerchantFactory(), MerchantFactory()
        both = make.propose(states.FREEZE, first.merchant_no, second.merchant_no)
        make.move(states.RESTRICT, [second.merchant_no])

        with pytest.raises(states.StateChanged, match=second.merchant_no):
            approve(both, at=AT)

        assert where(first, second) == ["ACTIVE", "RESTRICTED"]
        both.refresh_from_db()
        assert both.state == "PROPOSED"

    def test_counts_a_number_that_comes_twice_once(self):
        first, second = MerchantFactory(), MerchantFactory()
        numbers = [first.merchant_no, f" {second.merchant_no} ", first.merchant_no, ""]

        assert make.propose(states.FREEZE, *numbers).after["count"] == 2

    @pytest.mark.parametrize(
        ("action", "state"),
        [
            (states.FREEZE, "FROZEN"),
            (states.RESTRICT, "FROZEN"),
            (states.RESTRICT, "RESTRICTED"),
            (states.RESTORE, "ACTIVE"),
        ],
    )
    def test_is_refused_where_one_cannot_make_the_move(self, action, state):
        shop, other = MerchantFactory(), MerchantFactory()
        if state != "ACTIVE":
            make.stand(shop.id, state)
        if action == states.RESTORE:
            make.stand(other.id, "FROZEN")

        with pytest.raises(states.ListRefused, match=shop.merchant_no) as refusal:
            make.propose(action, shop.merchant_no, other.merchant_no)

        assert refusal.value.field == "merchants"

    @pytest.mark.parametrize("numbers", [(), ("  ",), ("nobody",), ("HOUSE",)])
    def test_is_refused_without_merchants_or_with_strangers(self, numbers):
        with pytest.raises(states.ListRefused):
            make.propose(states.FREEZE, *numbers)

    @pytest.mark.parametrize(
        ("field", "text"), [("reason", " "), ("document", ""), ("document", "x" * 201)]
    )
    def test_needs_its_reason_and_its_document(self, field, text):
        shop = MerchantFactory()

        with pytest.raises(states.DocumentMissing) as refusal:
            make.propose(states.FREEZE, shop.merchant_no, **{field: text})

        assert refusal.value.field == field


class TestTwoPersons:
    @pytest.mark.parametrize("many", [1, 2])
    def test_nobody_decides_on_his_own_list(self, many):
        shops = [MerchantFactory() for _ in range(many)]
        maker = UserFactory(is_superuser=True)
        numbers = [shop.merchant_no for shop in shops]
        approval = make.propose(states.FREEZE, *numbers, maker=maker)
        again = UserFactory(is_superuser=True, person=maker.person)

        for own in (maker, again):
            with pytest.raises(approvals.SelfApprovalForbidden):
                decided(approval, own)

        assert where(*shops) == ["ACTIVE"] * many

    def test_the_right_is_needed(self):
        approval = make.propose(states.FREEZE, MerchantFactory().merchant_no)

        with pytest.raises(approvals.CheckerNotAllowed):
            decided(approval, UserFactory())

    def test_the_same_is_not_proposed_twice(self):
        shop = MerchantFactory()
        make.propose(states.FREEZE, shop.merchant_no)

        with pytest.raises(approvals.AlreadyProposed):
            make.propose(states.FREEZE, shop.merchant_no)
