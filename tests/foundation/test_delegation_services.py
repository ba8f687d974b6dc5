"""A checker on leave lends his right; maker and checker stay two persons, whatever the way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError, IntegrityError, transaction

from foundation import registries, sql
from foundation.admin.work_items import decidable
from foundation.models import Approval, ApprovalDecision, AuditEvent, Delegation, History, User
from foundation.registries import ApprovalAction
from foundation.services import approval as approvals
from foundation.services import delegation as delegations
from tests.factories.approval import approve, tier
from tests.factories.foundation import UserFactory

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
DAY = timedelta(days=1)
RIGHT = "foundation.change_businessday"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def applied() -> Iterator[list[int]]:
    """A kind of proposal that asks for RIGHT, and what was applied of it."""
    done: list[int] = []
    action = ApprovalAction("tests.day", lambda one, at: done.append(one.id), str, permission=RIGHT)
    registries.approval_actions.register("tests.day", action)
    yield done
    del registries.approval_actions._items["tests.day"]


def staff(*permissions: str, **fields: Any) -> User:
    """An account of staff that sees proposals and holds these rights."""
    user: User = UserFactory(is_staff=True, **fields)
    for permission in ("foundation.view_approval", *permissions):
        package, _dot, codename = permission.partition(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=package, codename=codename)
        )
    return User.objects.get(pk=user.pk)


def ask(delegator: User, delegate: User, **changes: Any) -> Approval:
    values = {
        "permission": RIGHT,
        "starts_at": NOON,
        "ends_at": NOON + 7 * DAY,
        "reason": "on leave",
        "at": NOON - DAY,
    } | changes
    return delegations.propose(delegator=delegator, delegate=delegate, **values)


def lend(delegator: User, delegate: User, **changes: Any) -> Delegation:
    made = approve(ask(delegator, delegate, **changes), at=NOON - DAY)
    return Delegation.objects.get(approval_id=made.id)


def proposal(merchant_id: int, maker: User, **changes: Any) -> Approval:
    values = {"subject": "day:1", "money_effect": None} | changes
    return approvals.propose(
        action="tests.day", merchant_id=merchant_id, before={}, after={"works": True},
        reason="r", maker=maker, at=NOON, expires_at=NOON + 30 * DAY, **values,
    )  # fmt: skip


def decide(one: Approval, checker: User, at: datetime = NOON + DAY) -> Approval:
    return approvals.decide(
        approval_id=one.id, merchant_id=one.merchant_id, checker=checker, approve=True, reason="",
        seen_sha256=one.content_sha256, at=at,
    )  # fmt: skip


class TestLending:
    def test_lets_the_delegate_decide_under_his_own_name(self, merchant_id, applied):
        boss, deputy = staff(RIGHT), staff()
        lent = lend(boss, deputy)

        one = decide(proposal(merchant_id, staff()), deputy)

        word = ApprovalDecision.objects.get(approval=one, merchant=merchant_id)
        assert (one.state, applied) == ("APPROVED", [one.id])
        assert (word.checker, word.delegation) == (deputy, lent)
        assert word.authority_person == boss.person_id
        assert AuditEvent.objects.filter(action="delegation.begin").count() == 1
        assert History.objects.filter(table="foundation_delegation").count() == 1

    def test_shows_the_delegate_what_he_may_decide(self, monkeypatch):
        boss, deputy = staff(RIGHT), staff()
        lend(boss, deputy)

        for at, found in ((NOON - DAY, False), (NOON, True), (NOON + 7 * DAY, False)):
            monkeypatch.setattr("foundation.clock.now", lambda at=at: at)
            assert ("tests.day" in decidable(deputy)) is found

    @pytest.mark.parametrize("at", [NOON - timedelta(seconds=1), NOON + 7 * DAY])
    def test_holds_for_its_span_alone(self, merchant_id, at):
        boss, deputy = staff(RIGHT), staff()
        lend(boss, deputy)

        with pytest.raises(approvals.CheckerNotAllowed):
            decide(proposal(merchant_id, staff()), deputy, at=at)

    def test_ends_when_one_side_says_so(self, merchant_id):
        boss, deputy = staff(RIGHT), staff()
        lent = lend(boss, deputy)
        with pytest.raises(delegations.NotYoursToLend):
            delegations.end(delegation_id=lent.id, by=staff(), at=NOON)

        delegations.end(delegation_id=lent.id, by=deputy, at=NOON)

        with pytest.raises(approvals.CheckerNotAllowed):
            decide(proposal(merchant_id, staff()), deputy)
        with pytest.raises(delegations.DelegationEnded):
            delegations.end(delegation_id=lent.id, by=boss, at=NOON)

    @pytest.mark.parametrize("lost", ["right", "account"])
    def test_ends_with_the_right_of_who_lent_it(self, merchant_id, lost):
        boss, deputy = staff(RIGHT), staff()
        lend(boss, deputy)
        if lost == "right":
            boss.user_permissions.clear()
        else:
            User.objects.filter(pk=boss.pk).update(is_active=False)

        with pytest.raises(approvals.CheckerNotAllowed):
            decide(proposal(merchant_id, staff()), deputy)

    def test_is_decided_by_neither_side(self):
        boss, deputy = staff(RIGHT), staff()
        asked = ask(boss, deputy)
        boss.is_superuser = deputy.is_superuser = True

        with pytest.raises(approvals.SelfApprovalForbidden):
            decide(asked, boss, at=NOON)
        with pytest.raises(approvals.CheckerGains):
            decide(asked, deputy, at=NOON)
        second = UserFactory(person=deputy.person, is_superuser=True)
        with pytest.raises(approvals.CheckerGains):
            decide(asked, second, at=NOON)

    @pytest.mark.parametrize(
        ("changes", "refusal"),
        [
            ({"permission": "foundation.delete_user"}, delegations.NotYoursToLend),
            ({"ends_at": NOON}, delegations.DelegationRefused),
            ({"ends_at": NOON + 93 * DAY}, delegations.DelegationRefused),
            ({"at": NOON + 7 * DAY}, delegations.DelegationRefused),
        ],
    )
    def test_refuses_what_cannot_be_lent(self, changes, refusal):
        with pytest.raises(refusal):
            ask(staff(RIGHT), staff(), **changes)

    def test_refuses_whom_nothing_can_be_lent_to(self):
        boss = staff(RIGHT)
        mine = staff(person=boss.person)
        portal = UserFactory()
        for other in (boss, mine, portal, staff(RIGHT), UserFactory(is_staff=True)):
            with pytest.raises(delegations.DelegationRefused):
                ask(boss, other)


class TestMakerIsNeverChecker:
    def test_not_when_the_right_is_lent_to_the_maker(self, merchant_id):
        boss, maker = staff(RIGHT), staff()
        lend(boss, maker)

        with pytest.raises(approvals.SelfApprovalForbidden):
            decide(proposal(merchant_id, maker), maker)

    def test_not_through_a_second_account_of_the_maker(self, merchant_id):
        boss, maker = staff(RIGHT), staff()
        second = staff(person=maker.person)
        lend(boss, second)

        with pytest.raises(approvals.SelfApprovalForbidden):
            decide(proposal(merchant_id, maker), second)

    def test_not_with_the_right_of_the_maker(self, merchant_id):
        maker, deputy = staff(RIGHT), staff()
        lend(maker, deputy)

        with pytest.raises(approvals.SelfApprovalForbidden):
            decide(proposal(merchant_id, maker), deputy)

    def test_not_with_the_right_of_the_makers_second_account(self, merchant_id):
        maker, deputy = staff(), staff()
        lend(staff(RIGHT, person=maker.person), deputy)

        with pytest.raises(approvals.SelfApprovalForbidden):
            decide(proposal(merchant_id, maker), deputy)

    def test_not_through_a_chain(self, merchant_id):
        maker, deputy, friend = staff(RIGHT), staff(), staff()
        lend(maker, deputy)

        with pytest.raises(delegations.NotYoursToLend):
            ask(deputy, friend)

    def test_one_right_speaks_once_where_two_are_needed(self, merchant_id):
        tier("tests.day", checkers_needed=2)
        boss, deputy = staff(RIGHT), staff()
        lend(boss, deputy)
        first, second = (proposal(merchant_id, staff(), subject=f"day:{n}") for n in (1, 2))

        decide(first, boss)
        with pytest.raises(approvals.AlreadyDecided):
            decide(first, deputy)
        decide(second, deputy)
        with pytest.raises(approvals.AlreadyDecided):
            decide(second, boss)

        assert decide(first, staff(RIGHT)).state == "APPROVED"


class TestDatabase:
    """The product's own role, past every Python check, by SQL."""

    def word(self, one: Approval, checker: User, **changes: Any) -> None:
        values = {
            "merchant_id": one.merchant_id,
            "approval_id": one.id,
            "checker_id": checker.id,
            "checker_person_id": checker.person_id,
            "maker_person_id": one.maker_person_id,
            "content_sha256": one.content_sha256,
            "decided_at": NOON + DAY,
            "approves": True,
        } | changes
        marks = ", ".join(f"%({name})s" for name in values)
        statement = (
            f"INSERT INTO foundation_approval_decision ({', '.join(values)}, reason, actor,"
            f" request_id) VALUES ({marks}, '', 'x', 'x')"
        )
        with transaction.atomic():
            sql.execute(statement, values)
            sql.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def lent(self, lent: Delegation) -> dict[str, Any]:
        return {"delegation_id": lent.id, "delegator_person_id": lent.delegator_person_id}

    def test_takes_no_word_with_the_right_of_the_maker(self, merchant_id):
        maker, deputy = staff(RIGHT), staff()
        lent = lend(maker, deputy)

        with pytest.raises(IntegrityError, match="approval_not_for_its_maker"):
            self.word(proposal(merchant_id, maker), deputy, **self.lent(lent))

    def test_takes_no_word_with_a_right_that_was_lent_to_another(self, merchant_id):
        lent = lend(staff(RIGHT), staff())

        with pytest.raises(IntegrityError, match="approval_delegated_to_checker"):
            self.word(proposal(merchant_id, staff()), staff(), **self.lent(lent))

    def test_takes_no_word_that_hides_who_lent_the_right(self, merchant_id):
        maker, deputy = staff(RIGHT), staff()
        lent = lend(maker, deputy)
        one = proposal(merchant_id, maker)

        with pytest.raises(IntegrityError, match="approval_delegated_by_somebody"):
            self.word(one, deputy, delegation_id=lent.id)
        with pytest.raises(IntegrityError, match="approval_delegated_to_checker"):
            self.word(one, deputy, delegation_id=lent.id, delegator_person_id=staff().person_id)

    @pytest.mark.parametrize("fault", ["early", "late", "ended", "other right"])
    def test_takes_no_word_that_the_delegation_does_not_cover(self, merchant_id, fault):
        permission = "foundation.approve_delegation" if fault == "other right" else RIGHT
        lent = lend(staff(permission), staff(), permission=permission)
        at = {"early": NOON - timedelta(seconds=1), "late": NOON + 7 * DAY}.get(fault, NOON + DAY)
        if fault == "ended":
            delegations.end(delegation_id=lent.id, by=lent.delegate, at=NOON)

        with pytest.raises(DatabaseError, match="approval_not_delegated"):
            self.word(
                proposal(merchant_id, staff()), lent.delegate, decided_at=at, **self.lent(lent)
            )

    def test_takes_one_right_once(self, merchant_id):
        tier("tests.day", checkers_needed=2)
        boss, deputy = staff(RIGHT), staff()
        lent = lend(boss, deputy)
        one = proposal(merchant_id, staff())
        decide(one, boss)

        with pytest.raises(IntegrityError, match="approval_right_speaks_once"):
            self.word(one, deputy, **self.lent(lent))

    def copy(self, lent: Delegation, **changes: Any) -> None:
        columns = {
            "delegator_id": lent.delegator_id,
            "delegator_person_id": lent.delegator_person_id,
            "delegate_id": lent.delegate_id,
            "delegate_person_id": lent.delegate_person_id,
            "permission": lent.permission,
            "starts_at": lent.starts_at,
            "ends_at": lent.ends_at,
            "reason": lent.reason,
            "approval_id": lent.approval_id,
            "created_at": NOON,
        } | changes
        marks = ", ".join(f"%({name})s" for name in columns)
        with transaction.atomic():
            sql.execute(
                f"INSERT INTO foundation_delegation ({', '.join(columns)}) VALUES ({marks})",
                columns,
            )
            sql.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def test_makes_no_delegation_that_nobody_approved(self, merchant_id):
        lent = lend(staff(RIGHT), staff())
        asked = ask(staff(RIGHT), staff())
        other = staff()
        changed: list[dict[str, Any]] = [
            {"permission": "foundation.approve_delegation"},
            {"delegate_id": other.id, "delegate_person_id": other.person_id},
            {"ends_at": NOON + 90 * DAY},
            {"approval_id": asked.id},
            {"approval_id": 0},
        ]

        for changes in changed:
            with pytest.raises(DatabaseError, match="delegation_not_approved"):
                self.copy(lent, **changes)
        with pytest.raises(IntegrityError, match="approval_id"):  # the same one again
            self.copy(lent)

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE foundation_delegation SET ends_at = ends_at + interval '1 day'",
            "UPDATE foundation_delegation SET permission = 'foundation.approve_delegation'",
            "UPDATE foundation_delegation SET delegate_id = delegator_id",
            "DELETE FROM foundation_delegation",
            "TRUNCATE foundation_delegation CASCADE",
        ],
    )
    def test_changes_no_delegation(self, merchant_id, statement):
        lend(staff(RIGHT), staff())

        with (
            pytest.raises(DatabaseError, match=r"delegation_frozen|append_only|permission denied"),
            transaction.atomic(),
        ):
            sql.execute(statement)

    def test_does_not_bring_an_ended_one_back(self, merchant_id):
        lent = lend(staff(RIGHT), staff())
        delegations.end(delegation_id=lent.id, by=lent.delegate, at=NOON)

        with pytest.raises(DatabaseError, match="delegation_frozen"), transaction.atomic():
            sql.execute("UPDATE foundation_delegation SET ended_at = NULL")
