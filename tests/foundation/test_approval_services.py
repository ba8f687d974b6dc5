from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from config.errors import DomainError, NotFound
from foundation import registries, sql
from foundation.models import Approval, ApprovalDecision
from foundation.money import Money
from foundation.registries import ApprovalAction
from foundation.services import approval as approvals
from foundation.services import approval_policy
from tests.factories.approval import tier
from tests.factories.foundation import PersonFactory, UserFactory

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)

applied: list[tuple[str, int]] = []


class NotNow(DomainError):
    """The action refuses."""


def _apply(approval, at):
    if approval.after.get("refuse"):
        raise NotNow("not now")
    applied.append(("applied", approval.id))


@pytest.fixture(autouse=True)
def _action(monkeypatch):
    registry = registries.Registry("approval_actions")
    action = ApprovalAction(
        name="tests.fee",
        apply=_apply,
        describe=lambda approval: f"fee of {approval.subject}",
        refuse=lambda approval, at: applied.append(("refused", approval.id)),
    )
    registry.register("tests.fee", action)
    registry.register(approval_policy.ACTION, approval_policy.APPROVAL_ACTION)
    monkeypatch.setattr(registries, "approval_actions", registry)
    applied.clear()


@pytest.fixture
def propose(merchant_id):
    def call(**changes):
        values = {
            "action": "tests.fee",
            "merchant_id": merchant_id,
            "subject": "fee:7",
            "before": {"rate_percent": "0.60"},
            "after": {"rate_percent": "0.38"},
            "money_effect": Money(-50_00, "CNY"),
            "reason": "agreed with the merchant",
            "at": NOON,
            "expires_at": NOON + 24 * HOUR,
        } | changes
        return approvals.propose(**{"maker": changes.get("maker") or UserFactory(), **values})

    return call


def decide(approval, **changes):
    values = {
        "approval_id": approval.id,
        "merchant_id": approval.merchant_id,
        "approve": True,
        "reason": "",
        "seen_sha256": approval.content_sha256,
        "at": NOON + HOUR,
    } | changes
    return approvals.decide(**{"checker": changes.get("checker") or UserFactory(), **values})


class TestPropose:
    def test_freezes_what_the_checker_will_see(self, propose):
        approval = propose()

        stored = Approval.objects.get()
        assert stored.state == "PROPOSED"
        assert approvals.content_sha256(stored) == approval.content_sha256
        assert stored.money_effect == Money(-50_00, "CNY")
        assert applied == []

    def test_is_refused_while_one_is_open_for_the_same_thing(self, propose):
        first = propose()

        with pytest.raises(approvals.AlreadyProposed):
            propose()

        approvals.withdraw(
            approval_id=first.id, merchant_id=first.merchant_id, maker=first.maker, at=NOON
        )
        assert propose().id != first.id

    def test_of_an_action_nobody_registered_is_a_bug(self, propose):
        with pytest.raises(registries.NotRegistered):
            propose(action="tests.unknown")

    @pytest.mark.parametrize("field", ["before", "after", "reason", "subject", "expires_at"])
    def test_any_other_content_has_another_hash(self, propose, field):
        approval = propose()
        shown = approval.content_sha256

        other = {"before": {}, "after": {}, "expires_at": NOON + 2 * HOUR}.get(field, "other")
        setattr(approval, field, other)

        assert approvals.content_sha256(approval) != shown


class TestDecide:
    def test_by_another_person_applies_the_action(self, propose):
        approval = decide(propose())

        assert approval.state == "APPROVED"
        assert applied == [("applied", approval.id)]
        assert ApprovalDecision.objects.get().content_sha256 == approval.content_sha256

    def test_refuses_the_person_who_asked(self, propose):
        approval = propose()

        with pytest.raises(approvals.SelfApprovalForbidden):
            decide(approval, checker=approval.maker)

        approval.refresh_from_db()
        assert (approval.state, applied) == ("PROPOSED", [])

    def test_refuses_a_second_account_of_the_person_who_asked(self, propose):
        person = PersonFactory()
        approval = propose(maker=UserFactory(person=person))

        with pytest.raises(approvals.SelfApprovalForbidden):
            decide(approval, checker=UserFactory(person=person))

    def test_refuses_content_that_was_not_shown(self, propose):
        with pytest.raises(approvals.ContentChanged):
            decide(propose(), seen_sha256="0" * 64)

    def test_a_rejection_closes_it_and_undoes(self, propose):
        approval = decide(propose(), approve=False, reason="too low")

        assert approval.state == "REJECTED"
        assert applied == [("refused", approval.id)]

    def test_decides_nothing_when_the_action_refuses(self, propose):
        approval = propose(after={"refuse": True})

        with pytest.raises(NotNow):
            decide(approval)

        approval.refresh_from_db()
        assert approval.state == "PROPOSED"
        assert not ApprovalDecision.objects.exists()

    def test_refuses_what_is_closed(self, propose):
        approval = decide(propose())

        with pytest.raises(approvals.ApprovalClosed):
            decide(approval)

        assert applied == [("applied", approval.id)]

    def test_refuses_when_the_time_is_over(self, propose):
        with pytest.raises(approvals.ApprovalExpired):
            decide(propose(), at=NOON + 24 * HOUR)

    def test_answers_not_found_for_another_merchants(self, propose):
        approval = propose()

        with pytest.raises(NotFound):
            decide(approval, merchant_id=approval.merchant_id + 1)

    def test_asks_the_checker_for_the_actions_permission(self, propose):
        registries.approval_actions.register(
            "tests.guarded",
            ApprovalAction("tests.guarded", _apply, str, permission="foundation.change_person"),
        )
        approval = propose(action="tests.guarded")

        with pytest.raises(approvals.CheckerNotAllowed):
            decide(approval)

        assert decide(approval, checker=UserFactory(is_superuser=True)).state == "APPROVED"

    def test_has_one_winner_among_eight_checkers_at_once(self, cloned_db, propose, together):
        approval = propose()
        checkers = [UserFactory() for _ in range(8)]

        def attempt(number):
            try:
                return decide(approval, checker=checkers[number]).state
            except approvals.ApprovalClosed:
                return "closed"

        assert sorted(together(8, attempt)) == ["APPROVED", *["closed"] * 7]
        assert applied == [("applied", approval.id)]


class TestTiers:
    @pytest.fixture(autouse=True)
    def _tiers(self, merchant_id):
        for currency, amount, checkers in [("", 0, 1), ("CNY", 0, 1), ("CNY", 100_000_00, 2)]:
            tier(
                "tests.fee",
                currency=currency,
                from_amount_minor=amount,
                checkers_needed=checkers,
            )
        applied.clear()

    @pytest.mark.parametrize(
        ("effect", "checkers"),
        [
            (None, 1),
            (Money(99_999_99, "CNY"), 1),
            (Money(100_000_00, "CNY"), 2),
            (Money(-100_000_00, "CNY"), 2),
            (Money(100_000_00, "USD"), 1),
        ],
    )
    def test_the_amount_decides_how_many_must_approve(self, effect, checkers):
        assert approvals.checkers_needed("tests.fee", effect) == checkers

    def test_two_different_persons_are_needed_above_the_tier(self, propose):
        approval = propose(money_effect=Money(100_000_00, "CNY"))
        first = UserFactory()

        assert decide(approval, checker=first).state == "PROPOSED"
        with pytest.raises(approvals.AlreadyDecided):
            decide(approval, checker=UserFactory(person=first.person))
        assert applied == []
        assert decide(approval).state == "APPROVED"


class TestWithdrawAndExpire:
    def test_only_the_maker_takes_it_back(self, propose):
        approval = propose()
        key = {"approval_id": approval.id, "merchant_id": approval.merchant_id}

        with pytest.raises(approvals.MakerOnly):
            approvals.withdraw(**key, maker=UserFactory(), at=NOON)

        assert approvals.withdraw(**key, maker=approval.maker, at=NOON).state == "WITHDRAWN"
        with pytest.raises(approvals.ApprovalClosed):
            approvals.withdraw(**key, maker=approval.maker, at=NOON)
        assert applied == [("refused", approval.id)]

    def test_expires_what_is_due_and_nothing_else(self, propose):
        due = propose()
        waiting = propose(subject="fee:8", expires_at=NOON + 48 * HOUR)

        assert approvals.expire_due(at=NOON + 24 * HOUR) == 1
        assert approvals.expire_due(at=NOON + 24 * HOUR) == 0

        assert Approval.objects.get(id=due.id).state == "EXPIRED"
        assert Approval.objects.get(id=waiting.id).state == "PROPOSED"
        assert applied == [("refused", due.id)]


class TestDatabase:
    """The product's own role, past every Python check, by SQL."""

    def word(self, approval, checker, **changes):
        values = {
            "merchant_id": approval.merchant_id,
            "approval_id": approval.id,
            "checker_id": checker.id,
            "checker_person_id": checker.person_id,
            "maker_person_id": approval.maker_person_id,
            "content_sha256": approval.content_sha256,
            "decided_at": NOON,
        } | changes
        names = ", ".join(values)
        marks = ", ".join(f"%({name})s" for name in values)
        statement = (
            f"INSERT INTO foundation_approval_decision ({names}, approves, reason, actor,"
            f" request_id) VALUES ({marks}, true, '', 'x', 'x')"
        )
        with transaction.atomic():
            sql.execute(statement, values)
            sql.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def close(self, approval, state="APPROVED", **changes):
        at = changes.get("at", NOON)
        with transaction.atomic():
            sql.execute(
                "UPDATE foundation_approval SET state = %s, closed_at = %s WHERE id = %s",
                [state, at, approval.id],
            )

    def test_the_maker_cannot_decide(self, propose):
        approval = propose()

        with pytest.raises(IntegrityError, match="approval_two_persons"):
            self.word(approval, approval.maker)

    def test_the_maker_cannot_pose_as_another_person(self, propose):
        approval = propose()

        with pytest.raises(IntegrityError, match="approval_checker_is_person"):
            self.word(approval, approval.maker, checker_person_id=PersonFactory().id)

    def test_the_proposal_cannot_be_given_another_maker(self, propose):
        approval = propose()

        with pytest.raises(IntegrityError, match="approval_decided_content"):
            self.word(approval, approval.maker, maker_person_id=PersonFactory().id)

    def test_no_account_of_the_maker_can_become_another_person(self, propose):
        maker = UserFactory()
        second = UserFactory(person=maker.person)
        propose(maker=maker)

        for account in (maker, second):
            with pytest.raises(IntegrityError, match="user_keeps_person"), transaction.atomic():
                sql.execute(
                    "UPDATE foundation_user SET person_id = %s WHERE id = %s",
                    [PersonFactory().id, account.id],
                )

    def test_a_proposal_cannot_ask_for_fewer_checkers_than_its_tier(self, propose):
        tier("tests.fee", currency="CNY", from_amount_minor=50_00, checkers_needed=2)
        made = propose()
        copied = (
            "INSERT INTO foundation_approval SELECT * FROM jsonb_populate_record("
            "NULL::foundation_approval, (SELECT to_jsonb(a) || %s::jsonb"
            " FROM foundation_approval a WHERE a.id = %s))"
        )
        other = f'{{"id": 9000000, "subject": "fee:other", "checkers_needed": 1, "x": {made.id}}}'

        with pytest.raises(DatabaseError, match="approval_tier"), transaction.atomic():
            sql.execute(copied, [other, made.id])

    def test_a_decision_covers_exactly_the_content(self, propose):
        with pytest.raises(IntegrityError, match="approval_decided_content"):
            self.word(propose(), UserFactory(), content_sha256="0" * 64)

    def test_a_decision_comes_in_time(self, propose):
        with pytest.raises(DatabaseError, match="approval_closed"):
            self.word(propose(), UserFactory(), decided_at=NOON + 24 * HOUR)

    @pytest.mark.parametrize("state", ["APPROVED", "REJECTED", "EXPIRED", "PROPOSED", "PAID"])
    def test_a_state_without_its_decision_is_refused(self, propose, state):
        with pytest.raises(DatabaseError, match="approval_"):
            self.close(propose(), state)

    def test_a_closed_one_stays_closed(self, propose):
        approval = decide(propose())

        for state in ("PROPOSED", "REJECTED", "WITHDRAWN"):
            with pytest.raises(DatabaseError, match="approval_closed"):
                self.close(approval, state)

    @pytest.mark.parametrize(
        "change",
        [
            "after = '{}'",
            "effect_minor = 1",
            "reason = 'x'",
            "checkers_needed = 9",
            "expires_at = expires_at + interval '1 day'",
            "content_sha256 = ''",
            "merchant_id = merchant_id + 1",
        ],
    )
    def test_the_content_is_frozen(self, propose, change):
        approval = propose()

        with pytest.raises(DatabaseError, match="approval_frozen"), transaction.atomic():
            sql.execute(f"UPDATE foundation_approval SET {change} WHERE id = %s", [approval.id])

    def test_a_new_one_is_open(self, propose):
        approval = propose()
        approval.pk, approval.state, approval.closed_at = None, "APPROVED", NOON

        with pytest.raises(DatabaseError, match="approval_starts_proposed"), transaction.atomic():
            approval.save(force_insert=True)

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM foundation_approval",
            "TRUNCATE foundation_approval CASCADE",
            "DELETE FROM foundation_approval_decision",
            "UPDATE foundation_approval_decision SET approves = false",
        ],
    )
    def test_nothing_is_taken_back_even_by_the_owner(self, cloned_db, propose, statement):
        decide(propose())

        with pytest.raises(DatabaseError, match="permission denied"):
            sql.execute(statement)
        with pytest.raises(DatabaseError, match="append_only"):
            sql.execute(statement, using="owner")
