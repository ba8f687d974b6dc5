"""What raw SQL as the product's role cannot do to agents, and what two at once cannot do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import Error, connection, connections, transaction

from config.errors import DomainError
from foundation import registries
from foundation.models import Approval
from foundation.services import approval as approvals
from merchants.models import Agent, AgentStep, Merchant, MerchantAgent
from merchants.selectors import agent as selectors
from tests.factories import agent as make
from tests.factories.agent import AT
from tests.factories.approval import approve
from tests.factories.merchants import MerchantFactory
from tests.raw_sql import refused, run

STEP = (
    "INSERT INTO merchants_agent_step (agent_id, sequence, name, kind, contact_name,"
    " contact_email, state, parent_id, from_at, approval_book, approval_id, actor, request_id)"
    " SELECT a.id, a.steps + 1, %s, a.kind, '', '', %s, %s, p.closed_at, p.merchant_id, p.id, '',"
    " '' FROM merchants_agent a, foundation_approval p WHERE a.id = %s AND p.id = %s"
)
LINE = (
    "INSERT INTO merchants_merchant_agent (merchant_id, sequence, agent_id, from_at, approval_book,"
    " approval_id, actor, request_id) SELECT %s, %s, %s, p.closed_at, p.merchant_id, p.id, '', ''"
    " FROM foundation_approval p WHERE p.id = %s"
)


@pytest.mark.django_db
class TestAnAgent:
    @pytest.mark.parametrize(
        "change",
        [
            "name = 'other'", "state = 'STOPPED'", "parent_id = NULL", "steps = 2", "kind = 'ISV'",
            "steps = steps + 1, name = 'other'", "contract_until = '2026-01-01'", "number = 'B1'",
            "steps = steps + 1",
        ],
    )  # fmt: skip
    def test_changes_by_an_approved_step_alone(self, change):
        one = make.agent(below=make.agent())
        with refused("agent_not_approved|agent_illegal_step"):
            run(f"UPDATE merchants_agent SET {change} WHERE id = %s", one.pk)

    def test_takes_no_step_that_nobody_approved(self):
        one, top = make.agent(), make.agent()
        proposal = make.propose(one.number, parent=top.number)
        with refused("null value|agent_not_approved"):
            run(STEP, one.name, "ACTIVE", top.pk, one.pk, proposal.id)
        with refused("agent_not_approved|agent_step_approval_whole"):
            run(
                "INSERT INTO merchants_agent_step (agent_id, sequence, name, kind, contact_name,"
                " contact_email, state, from_at, actor, request_id) VALUES"
                " (%s, 2, 'x', 'AGENT', '', '', 'ACTIVE', now(), '', '')",
                one.pk,
            )

    def test_takes_the_approved_step_only_once_and_as_it_was_approved(self):
        one, other, top = make.agent(), make.agent(), make.agent()
        make.change(one, parent=top.number)
        proposal = Approval.objects.latest("id")
        for name, parent, whom in (
            (one.name, top.pk, one.pk),
            (one.name, other.pk, one.pk),
            (other.name, top.pk, other.pk),
        ):
            with refused("agent_not_approved"):
                run(STEP, name, "ACTIVE", parent, whom, proposal.id)

    def test_does_not_take_a_step_back_or_lose_it(self):
        one = make.agent()
        make.change(one, name="later", at=AT + timedelta(days=1))
        for statement in (
            "DELETE FROM merchants_agent",
            "DELETE FROM merchants_agent_step",
            "UPDATE merchants_agent_step SET from_at = now()",
            "DELETE FROM merchants_merchant_agent",
            "UPDATE merchants_merchant_agent SET agent_id = NULL",
            "TRUNCATE merchants_agent_step",
        ):
            MerchantFactory(agent=one)
            with refused("append_only|permission denied"):
                run(statement)

    def test_lies_nowhere_without_its_step_and_no_step_lies_in_store(self):
        with refused("agent_not_approved"):
            run(
                "INSERT INTO merchants_agent (number, name, kind, contact_name, contact_email,"
                " state, steps, created_at)"
                " VALUES ('X1', 'x', 'AGENT', '', '', 'ACTIVE', 1, now())"
            )
            run("SET CONSTRAINTS ALL IMMEDIATE")
        one = make.agent()
        proposal = make.propose(one.number, name="new")
        _approved(proposal)
        with refused("agent_illegal_step"):
            run(STEP, "new", "ACTIVE", None, one.pk, proposal.id)
            run("SET CONSTRAINTS ALL IMMEDIATE")

    def test_is_refused_a_place_by_the_database_too(self, monkeypatch):
        """Python's own check is taken away: the trigger says the same."""
        monkeypatch.setattr("merchants.services.agent.check", lambda content, known: None)
        top = make.agent()
        low = make.agent(below=top)
        deep = low
        for _level in range(3):
            deep = make.agent(below=deep)
        for reason, number, content in (
            ("agent_circle", top.number, {"parent": low.number}),
            ("agent_levels", "new", {"name": "x", "parent": deep.number}),
            ("agent_levels", top.number, {"parent": make.agent().number}),
            ("agent_parent_stopped", top.number, {"state": "STOPPED"}),
            ("agent_not_its_own_parent|agent_circle", top.number, {"parent": top.number}),
        ):
            proposal = make.propose(number, new=number == "new", **content)
            with pytest.raises(Error, match=reason):
                approve(proposal, at=AT)
            approvals.withdraw(
                approval_id=proposal.id, merchant_id=proposal.merchant_id, maker=proposal.maker,
                at=AT,
            )  # fmt: skip
        stopped = make.change(make.agent(), state="STOPPED")
        with pytest.raises(Error, match="agent_parent_stopped"):
            approve(make.propose("n2", new=True, name="x", parent=stopped.number), at=AT)


def _approved(proposal: Approval) -> None:
    """Let a proposal be approved without being applied."""
    known = registries.approval_actions._items
    action = known[proposal.action]
    known[proposal.action] = replace(action, apply=lambda approval, at: None)
    try:
        approve(proposal, at=AT)
    finally:
        known[proposal.action] = action


@pytest.mark.django_db
class TestAMerchant:
    def test_came_by_whom_the_list_says(self):
        one, other, shop = make.agent(), make.agent(), MerchantFactory()
        with refused("merchant_agent_not_approved"):
            run("UPDATE merchants_merchant SET agent_id = %s WHERE id = %s", one.pk, shop.pk)
        open_one = make.propose_move(one, shop)
        with refused("null value|merchant_agent_not_approved"):
            run(LINE, shop.pk, 1, one.pk, open_one.id)
        approve(open_one, at=AT)
        for merchant, sequence, agent in (
            (shop, 2, other.pk),  # somebody else
            (shop, 2, one.pk),  # once more
            (shop, 2, None),
            (shop, 3, one.pk),  # a gap
            (MerchantFactory(), 1, one.pk),  # not of the list
        ):
            with refused("merchant_agent_not_approved|merchant_agent_once"):
                run(LINE, merchant.pk, sequence, agent, open_one.id)

    def test_is_not_moved_by_a_former_list(self):
        one, other, shop = make.agent(), make.agent(), MerchantFactory()
        first = make.move(one, shop, at=AT)
        make.move(None, shop, at=AT + timedelta(days=1))
        with refused("merchant_agent_not_approved|merchant_agent_once"):
            run(LINE, shop.pk, 3, one.pk, first.id)
        assert other.pk

    def test_has_no_line_without_a_proposal_but_its_first(self):
        one = make.agent()
        for shop in (MerchantFactory(), MerchantFactory(agent=one)):
            for sequence in (1, 2):
                with refused("merchant_agent_not_approved|merchant_agent_approval_whole|_sequence"):
                    run(
                        "INSERT INTO merchants_merchant_agent (merchant_id, sequence, agent_id,"
                        " from_at, actor, request_id) VALUES (%s, %s, %s, %s, '', '')",
                        shop.pk, sequence, one.pk, shop.created_at,
                    )  # fmt: skip
        assert MerchantAgent.objects.count() == 1

    def test_has_no_such_line_through_a_trigger_of_ones_own_either(self):
        """The product's role may make temporary tables, and triggers on them."""
        one, shop = make.agent(), MerchantFactory()
        run("CREATE TEMPORARY TABLE door (merchant_id bigint, agent_id bigint, at timestamptz)")
        run(
            "CREATE FUNCTION pg_temp.through() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " INSERT INTO public.merchants_merchant_agent (merchant_id, sequence, agent_id,"
            " from_at, actor, request_id)"
            " VALUES (NEW.merchant_id, 1, NEW.agent_id, NEW.at, '', ''); RETURN NULL; END $$"
        )
        run(
            "CREATE TRIGGER through AFTER INSERT ON door"
            " FOR EACH ROW EXECUTE FUNCTION pg_temp.through()"
        )
        with refused("merchant_agent_not_approved"):
            run("INSERT INTO door VALUES (%s, %s, %s)", shop.pk, one.pk, shop.created_at)

    def test_does_not_come_by_a_stopped_agent(self):
        one = make.agent()
        make.change(one, state="STOPPED")
        with refused("agent_stopped"):
            MerchantFactory(agent=one)
        house = Merchant.objects.get(kind="HOUSE")
        with refused("merchant_house_has_no_agent|merchant_agent_not_approved"):
            run("UPDATE merchants_merchant SET agent_id = %s WHERE id = %s", one.pk, house.pk)

    def test_is_moved_by_the_database_of_its_own_book_only(self):
        """A list of one lies in the merchant's book; it names nobody of another book."""
        one, shop, foreign = make.agent(), MerchantFactory(), MerchantFactory()
        mine = make.move(one, shop)
        with refused("merchant_agent_not_approved"):
            run(LINE, foreign.pk, 1, one.pk, mine.id)
        assert [line.merchant_id for line in MerchantAgent.objects.all()] == [shop.pk]


def _at_once(*acts: Callable[[], object]) -> list[str]:
    """Do things in threads that begin together; return what refused them, "" for done."""
    ready = threading.Barrier(len(acts))

    def one(act: Callable[[], object]) -> str:
        try:
            ready.wait(20)
            act()
        except (DomainError, Error) as refusal:
            return type(refusal).__name__
        finally:
            connections.close_all()
        return ""

    with ThreadPoolExecutor(len(acts)) as pool:
        return sorted(future.result(120) for future in [pool.submit(one, act) for act in acts])


def _re_parent(one: Agent, parent: Agent, proposal: Approval) -> None:
    """Take an approved step by raw SQL, past every check and lock of Python's."""
    run(STEP, one.name, "ACTIVE", parent.pk, one.pk, proposal.id)
    run(
        "UPDATE merchants_agent SET parent_id = %s, steps = steps + 1 WHERE id = %s",
        parent.pk, one.pk,
    )  # fmt: skip


def _alone(act: Callable[[], object]) -> str:
    """Do something in a transaction of this thread; return what refused it, "" for done."""
    try:
        with transaction.atomic():
            act()
    except Error as refusal:
        return str(refusal)
    finally:
        connections.close_all()
    return ""


def _until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not met():
        assert time.monotonic() < end
        time.sleep(0.02)


def _somebody_waits() -> bool:
    """Say whether somebody waits for a lock of this connection's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks w WHERE NOT w.granted"
            " AND pg_backend_pid() = ANY (pg_blocking_pids(w.pid)))"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.usefixtures("cloned_db")
class TestAtOnce:
    @pytest.mark.parametrize("checked", [True, False])
    def test_two_re_parentings_make_no_circle(self, monkeypatch, checked):
        """Each alone is right; with Python's check and lock away the database still refuses one."""
        if not checked:
            monkeypatch.setattr("merchants.services.agent.check", lambda content, known: None)
            monkeypatch.setattr("merchants.services.agent.lock_chain", lambda: None)
        for _round in range(3):
            first, second = make.agent(), make.agent()
            below_second = make.propose(first.number, parent=second.number)
            below_first = make.propose(second.number, parent=first.number)

            came = _at_once(
                lambda a=below_second: approve(a, at=AT), lambda b=below_first: approve(b, at=AT)
            )

            assert came[0] == ""
            assert came[1] != ""
            tops = Agent.objects.filter(pk__in=[first.pk, second.pk], parent=None)
            assert tops.count() == 1
            assert len(selectors.chain(first.pk)) + len(selectors.chain(second.pk)) == 3

    def test_the_second_re_parenting_waits_for_the_first_and_sees_it(self):
        """The first is not committed yet: without the chain's lock the second would not see it."""
        first, second = make.agent(), make.agent()
        below_second = make.propose(first.number, parent=second.number)
        below_first = make.propose(second.number, parent=first.number)
        _approved(below_second)
        _approved(below_first)
        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                _re_parent(first, second, below_second)
                later = pool.submit(_alone, lambda: _re_parent(second, first, below_first))
                _until(lambda: later.done() or _somebody_waits())
                assert not later.done()
            assert "agent_circle" in later.result(60)
        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.parent_id, second.parent_id) == (second.pk, None)

    def test_an_agent_is_stopped_or_brings_but_not_both(self):
        for _round in range(3):
            one, shop = make.agent(), MerchantFactory()
            stop, move = make.propose(one.number, state="STOPPED"), make.propose_move(one, shop)

            came = _at_once(lambda a=stop: approve(a, at=AT), lambda b=move: approve(b, at=AT))

            assert came[0] == ""
            one.refresh_from_db()
            line = MerchantAgent.objects.filter(merchant=shop).exists()
            if came[1]:  # it was stopped first
                assert (one.state, line) == ("STOPPED", False)
            else:  # it brought the merchant first, which stays
                assert (one.state, line) == ("STOPPED", True)

    def test_two_lists_with_the_same_merchants_leave_one(self):
        one, other = make.agent(), make.agent()
        shops = MerchantFactory.create_batch(5)
        first, second = make.propose_move(one, *shops), make.propose_move(other, *reversed(shops))

        came = _at_once(lambda: approve(first, at=AT), lambda: approve(second, at=AT))

        assert came == ["", "AgentChanged"]
        assert MerchantAgent.objects.count() == 5
        assert Merchant.objects.exclude(agent=None).values("agent").distinct().count() == 1

    def test_two_take_on_the_same_number_once(self):
        first = make.propose("A1", new=True, name="one")
        with pytest.raises(approvals.AlreadyProposed):
            make.propose("A1", new=True, name="two")
        approve(first, at=AT)
        assert AgentStep.objects.count() == 1

    def test_a_snapshot_of_before_is_refused(self):
        one, top = make.agent(), make.agent()
        proposal = make.propose(one.number, parent=top.number)
        _approved(proposal)
        with refused("agent_isolation"):
            run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            run(STEP, one.name, "ACTIVE", top.pk, one.pk, proposal.id)
            run(
                "UPDATE merchants_agent SET parent_id = %s, steps = steps + 1 WHERE id = %s",
                top.pk, one.pk,
            )  # fmt: skip
