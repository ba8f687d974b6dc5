"""The freeze by one person: at once, bounded, confirmed or taken back by another (MST-11)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import Error, connection, transaction

from foundation.models import Approval, Person, User
from foundation.services import approval as approvals
from foundation.services import attachment as attached
from foundation.services.attachment import NewAttachment
from merchants.models import Membership, Merchant, MerchantTransition
from merchants.services import merchant_emergency as emergencies
from merchants.services import merchant_state as states
from tests.factories import merchant_state as make
from tests.factories.approval import approve
from tests.factories.foundation import PersonFactory, UserFactory
from tests.factories.merchant_state import AT
from tests.factories.merchants import MembershipFactory, MerchantFactory

LATER = AT + timedelta(hours=2)


def freeze(*merchants: Merchant, maker: User | None = None, at=AT, **said: Any) -> Approval:
    given = {"reason": "fraud seen", "case": "case 7"} | said
    return emergencies.freeze(
        merchant_nos=[one.merchant_no for one in merchants],
        maker=maker or UserFactory(is_staff=True),
        at=at,
        **given,
    )


def decide(approval: Approval, *, accept: bool, checker: User | None = None, at=LATER) -> Approval:
    return approvals.decide(
        approval_id=approval.id,
        merchant_id=approval.merchant_id,
        checker=checker or UserFactory(is_superuser=True),
        approve=accept,
        reason="looked at it",
        seen_sha256=approval.content_sha256,
        at=at,
    )


def stands(*merchants: Merchant) -> list[str]:
    found = dict(Merchant.objects.values_list("id", "status"))
    return [found[one.id] for one in merchants]


def in_all_states() -> list[Merchant]:
    made = [MerchantFactory() for _ in range(3)]
    make.stand(made[1].id, "RESTRICTED")
    make.stand(made[2].id, "CLOSING")
    return made


@pytest.mark.django_db
class TestFreezing:
    def test_is_done_at_once_and_waits_for_another_person(self):
        shop = MerchantFactory()

        approval = freeze(shop)

        assert stands(shop) == ["FROZEN"]
        assert (approval.state, approval.action) == ("PROPOSED", "merchants.emergency")
        step = MerchantTransition.objects.get(merchant_id=shop.id)
        assert (step.reason, step.document, step.at) == ("fraud seen", "case 7", AT)
        assert emergencies.confirm_by(approval) == AT + timedelta(hours=24)

    def test_looks_through_the_papers_before_it_locks_and_once(self, monkeypatch):
        """That takes seconds, in which nobody who pays one of the merchants should wait."""
        did: list[str] = []
        real = emergencies.selectors.standing
        monkeypatch.setattr(attached, "_look_through", lambda paper: did.append(paper.name))
        monkeypatch.setattr(
            emergencies.selectors, "standing",
            lambda **asked: did.append("locks") or real(**asked),
        )  # fmt: skip

        approval = freeze(MerchantFactory(), attachments=[NewAttachment("a.pdf", b"%PDF-")])

        assert did == ["a.pdf", "locks"]
        assert [paper["name"] for paper in approval.attachments] == ["a.pdf"]

    def test_confirmed_it_is_a_freeze_as_any_other(self):
        shop = MerchantFactory()

        decide(freeze(shop), accept=True)

        assert stands(shop) == ["FROZEN"]
        make.stand(shop.id, "ACTIVE")
        assert stands(shop) == ["ACTIVE"]

    def test_rejected_each_is_at_once_where_it_was(self):
        shops = in_all_states()
        approval = freeze(*shops)
        assert stands(*shops) == ["FROZEN"] * 3

        decide(approval, accept=False)

        assert stands(*shops) == ["ACTIVE", "RESTRICTED", "CLOSING"]
        last = MerchantTransition.objects.filter(merchant_id=shops[1].id).latest("sequence")
        assert (last.from_status, last.to_status, last.reason) == (
            "FROZEN", "RESTRICTED", "looked at it",
        )  # fmt: skip

    def test_not_decided_it_stays_and_is_late_for_ever(self):
        shop = MerchantFactory()
        approval = freeze(shop)

        assert approvals.expire_due(at=AT + timedelta(days=3000)) == 0
        assert stands(shop) == ["FROZEN"]
        decide(approval, accept=False, at=AT + timedelta(days=3000))

        assert stands(shop) == ["ACTIVE"]

    @pytest.mark.parametrize("said", [{"reason": " "}, {"case": ""}, {"case": "x" * 201}])
    def test_needs_its_reason_and_its_case(self, said):
        shop = MerchantFactory()
        with pytest.raises(states.DocumentMissing):
            freeze(shop, **said)
        assert stands(shop) == ["ACTIVE"]

    def test_freezes_the_whole_list_or_nobody(self):
        shop, frozen = MerchantFactory(), MerchantFactory()
        make.stand(frozen.id, "FROZEN")

        with pytest.raises(states.ListRefused):
            freeze(shop, frozen)

        assert stands(shop, frozen) == ["ACTIVE", "FROZEN"]
        assert not Approval.objects.filter(action=states.EMERGENCY).exists()

    def test_nobody_else_restores_it_before_the_decision(self):
        shop = MerchantFactory()
        freeze(shop)
        with pytest.raises(states.ListRefused, match=r"emergency freeze|紧急冻结"):
            make.propose(states.RESTORE, shop.merchant_no)

    def test_a_restoring_proposed_before_does_not_take_it_back(self):
        shop, other = MerchantFactory(), MerchantFactory()
        make.move(states.FREEZE, [shop.merchant_no, other.merchant_no])
        waiting = make.propose(states.RESTORE, shop.merchant_no, other.merchant_no)
        make.move(states.RESTORE, [shop.merchant_no])
        freeze(shop)

        with pytest.raises(states.StateChanged):
            approve(waiting, at=LATER)

        assert stands(shop) == ["FROZEN"]

    def test_after_a_confirming_a_later_freeze_is_not_undone_by_anything_old(self):
        shop = MerchantFactory()
        decide(freeze(shop), accept=True)
        make.move(states.RESTORE, [shop.merchant_no])
        second = freeze(shop, at=LATER)
        assert stands(shop) == ["FROZEN"]
        decide(second, accept=False, at=LATER + timedelta(hours=1))
        assert stands(shop) == ["ACTIVE"]


@pytest.mark.django_db
class TestWhoDecides:
    def test_not_the_person_who_froze_under_no_account(self):
        person: Person = PersonFactory()
        maker = UserFactory(person=person, is_staff=True)
        shop = MerchantFactory()
        approval = freeze(shop, maker=maker)
        for accept in (True, False):
            for checker in (maker, UserFactory(person=person, is_superuser=True)):
                with pytest.raises(approvals.SelfApprovalForbidden):
                    decide(approval, accept=accept, checker=checker)
        assert stands(shop) == ["FROZEN"]

    def test_its_maker_cannot_withdraw_it(self):
        maker = UserFactory(is_staff=True)
        shop = MerchantFactory()
        approval = freeze(shop, maker=maker)

        with pytest.raises(approvals.NotWithdrawable):
            approvals.withdraw(approval_id=approval.id, merchant_id=shop.id, maker=maker, at=LATER)

        assert stands(shop) == ["FROZEN"]

    def test_not_who_acts_for_a_merchant_of_the_list(self):
        shops = [MerchantFactory(), MerchantFactory()]
        person: Person = PersonFactory()
        MembershipFactory(
            merchant=shops[1], user=UserFactory(person=person), role=Membership.Role.OWNER
        )
        approval = freeze(*shops)
        with pytest.raises(approvals.CheckerGains):
            decide(approval, accept=False, checker=UserFactory(person=person, is_superuser=True))


@pytest.mark.django_db
class TestBounds:
    def test_nobody_freezes_a_merchant_for_which_he_acts_under_no_account(self):
        shop = MerchantFactory()
        person: Person = PersonFactory()
        MembershipFactory(merchant=shop, user=UserFactory(person=person), active=False)

        with pytest.raises(emergencies.FreezeInsider):
            freeze(shop, maker=UserFactory(person=person, is_staff=True))

    def test_one_person_freezes_fifty_under_all_his_accounts(self):
        person: Person = PersonFactory()
        first, second = (UserFactory(person=person, is_staff=True) for _ in range(2))
        shops = [MerchantFactory() for _ in range(51)]
        approval = freeze(*shops[:49], maker=first)
        freeze(shops[49], maker=second)

        with pytest.raises(emergencies.LimitReached):
            freeze(shops[50], maker=second)
        with pytest.raises(emergencies.LimitReached):  # another day, and nobody has decided
            freeze(shops[50], maker=first, at=AT + timedelta(days=3))
        freeze(shops[50])  # another person may

        assert stands(shops[50]) == ["FROZEN"]
        decide(approval, accept=True)
        more = MerchantFactory()
        with pytest.raises(emergencies.LimitReached):  # decided, but the day is not over
            freeze(more, maker=first, at=LATER)
        freeze(more, maker=first, at=AT + timedelta(days=3))

    def test_no_list_is_longer(self):
        with pytest.raises(states.ListRefused, match="50"):
            freeze(*[MerchantFactory.build(merchant_no=f"X{n}") for n in range(51)])


PROPOSE = """
INSERT INTO foundation_approval (merchant_id, action, subject, before, after, effect_currency,
       reason, attachments, permission, maker_id, maker_person_id, content_sha256, checkers_needed,
       proposed_at, expires_at, state, actor, request_id)
SELECT m.id, %(action)s, 'raw:' || m.id || %(action)s, '{}', jsonb_build_object('document', 'x',
       'merchants', jsonb_build_array(m.merchant_no || ' ' || %(move)s)), '', 'x', '[]',
       r.permission, u.id, u.person_id, 'x', 1, %(at)s, %(at)s::timestamptz + interval '1 day',
       'PROPOSED', '', ''
  FROM merchants_merchant m, foundation_user u, foundation_approval_right r
 WHERE m.id = %(merchant)s AND u.id = %(user)s AND r.action = %(action)s
RETURNING id"""
STEP = """
INSERT INTO merchants_merchant_transition (merchant_id, sequence, from_status, to_status, reason,
       document, approval_book, approval_id, at, actor, request_id)
SELECT m.id, coalesce(m.status_sequence, 0) + 1, m.status, %(to)s, %(reason)s,
       a.after ->> 'document', a.merchant_id, a.id, coalesce(a.closed_at, a.proposed_at), '', ''
  FROM merchants_merchant m, foundation_approval a WHERE m.id = %(merchant)s AND a.id = %(id)s"""


def raw(statement: str, **values: object) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0] if cursor.description else 0


def refused(by: str, statement: str, **values: object) -> None:
    with pytest.raises(Error, match=by), transaction.atomic():
        raw(statement, **values)


def proposed(shop: Merchant, action: str, move: str, user: User | None = None) -> int:
    user = user or UserFactory()
    return raw(PROPOSE, action=action, move=move, at=AT, merchant=shop.id, user=user.id)


@pytest.mark.django_db
class TestRawSql:
    def test_moves_by_an_open_proposal_of_another_kind_no_more_than_before(self):
        shop = MerchantFactory()
        made = proposed(shop, "merchants.freeze", "ACTIVE→FROZEN")
        refused("not_approved", STEP, to="FROZEN", reason="x", merchant=shop.id, id=made)

    @pytest.mark.parametrize("to", ["RESTRICTED", "CLOSING", "CLOSED"])
    def test_moves_an_open_emergency_to_frozen_alone(self, to):
        shop = MerchantFactory()
        made = proposed(shop, "merchants.emergency", f"ACTIVE→{to}")
        refused("not_approved", STEP, to=to, reason="x", merchant=shop.id, id=made)

    def test_moves_nobody_who_is_not_in_the_list(self):
        shop, other = MerchantFactory(), MerchantFactory()
        made = proposed(other, "merchants.emergency", "ACTIVE→FROZEN")
        refused("not_approved", STEP, to="FROZEN", reason="x", merchant=shop.id, id=made)

    @pytest.mark.parametrize("move", ["FROZEN→ACTIVE", "ACTIVE→FROZEN"])
    def test_restores_nobody_by_an_open_emergency(self, move):
        shop = MerchantFactory()
        make.stand(shop.id, "FROZEN")
        made = proposed(shop, "merchants.emergency", move)
        refused("not_approved", STEP, to="ACTIVE", reason="x", merchant=shop.id, id=made)

    def test_restores_nobody_before_the_decision_nor_after_a_confirming(self):
        shop = MerchantFactory()
        approval = freeze(shop)
        again = {"to": "ACTIVE", "reason": "fraud seen", "merchant": shop.id, "id": approval.id}
        refused("not_approved", STEP, **again)
        decide(approval, accept=True)
        refused("not_approved", STEP, **again)

    def test_a_rejected_one_takes_back_its_own_move_alone_and_once(self):
        shop = MerchantFactory()
        approval = freeze(shop)
        decide(approval, accept=False)
        back = {"to": "ACTIVE", "reason": "looked at it", "merchant": shop.id, "id": approval.id}
        make.stand(shop.id, "FROZEN")  # by two persons, later
        refused("not_approved|merchant_step_once", STEP, **back)
        refused("not_approved|merchant_step_once", STEP, **(back | {"to": "FROZEN"}))

    def test_an_approved_restoring_waits_for_the_decision(self, monkeypatch):
        shop = MerchantFactory()
        freeze(shop)
        monkeypatch.setattr(
            states, "planned",
            lambda action, nos, found: [(one, one.former) for one in found],
        )  # fmt: skip
        monkeypatch.setattr(states, "_changed", lambda *_: False)
        approval = make.propose(states.RESTORE, shop.merchant_no)
        with pytest.raises(Error, match="merchant_not_approved"):
            approve(approval, at=LATER)

    def test_no_emergency_by_who_acts_for_it(self):
        shop = MerchantFactory()
        user = UserFactory()
        MembershipFactory(merchant=shop, user=user)
        made = proposed(
            shop, "merchants.emergency", "ACTIVE→FROZEN", UserFactory(person=user.person)
        )
        refused("emergency_insider", STEP, to="FROZEN", reason="x", merchant=shop.id, id=made)

    def test_no_more_than_the_limit(self, monkeypatch):
        maker = UserFactory()
        monkeypatch.setattr(emergencies, "MOST", 60)
        freeze(*[MerchantFactory() for _ in range(50)], maker=maker)
        with pytest.raises(Error, match="merchant_emergency_limit"):
            freeze(MerchantFactory(), maker=maker)

    @pytest.mark.parametrize("state", ["WITHDRAWN", "EXPIRED"])
    def test_no_end_without_a_decision(self, state):
        approval = freeze(MerchantFactory())
        refused(
            "emergency_stays|approval_undecided",
            "UPDATE foundation_approval SET state = %(state)s, closed_at = now()"
            " WHERE id = %(id)s",
            state=state, id=approval.id,
        )  # fmt: skip
