"""Agents and their chain: proposed by one, decided by another, as of any moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation

from foundation.services import approval as approvals
from merchants.models import Agent, AgentStep, MerchantAgent
from merchants.selectors import agent as selectors
from merchants.services import agent as agents
from merchants.services import agent_move
from tests.factories import agent as make
from tests.factories.agent import AT
from tests.factories.approval import approve
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MembershipFactory, MerchantFactory

pytestmark = pytest.mark.django_db
JAN, FEB, MAR = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


def numbers(links: list[selectors.Link]) -> list[str]:
    return [link.number for link in links]


class TestPropose:
    def test_makes_nothing_before_another_person_agrees(self):
        proposal = make.propose("A1", new=True, name="华东代理")
        assert not Agent.objects.exists()

        with pytest.raises(approvals.SelfApprovalForbidden):
            approvals.decide(
                approval_id=proposal.id, merchant_id=proposal.merchant_id, checker=proposal.maker,
                approve=True, reason="", seen_sha256=proposal.content_sha256, at=AT,
            )  # fmt: skip
        approve(proposal, at=AT)

        made = Agent.objects.get(number="A1")
        step = AgentStep.objects.get(agent=made)
        assert (made.name, made.state, made.steps) == ("华东代理", "ACTIVE", 1)
        assert (step.sequence, step.from_at, step.approval_id) == (1, AT, proposal.id)

    def test_needs_the_right_of_a_checker(self):
        proposal = make.propose("A1", new=True, name="华东代理")

        with pytest.raises(approvals.CheckerNotAllowed):
            approvals.decide(
                approval_id=proposal.id, merchant_id=proposal.merchant_id, checker=UserFactory(),
                approve=True, reason="", seen_sha256=proposal.content_sha256, at=AT,
            )  # fmt: skip

    @pytest.mark.parametrize(
        ("field", "content"),
        [
            ("number", {"number": "A 1", "name": "x"}),
            ("number", {"number": "-", "name": "x"}),
            ("number", {"number": "A" * 65, "name": "x"}),
            ("name", {"name": " "}),
            ("name", {"name": "a\0b"}),
            ("name", {"name": "x" * 201}),
            ("kind", {"name": "x", "kind": "BANK"}),
            ("state", {"name": "x", "state": "STOPPED"}),
            ("contact_email", {"name": "x", "contact_email": "nobody"}),
            ("contract_from", {"name": "x", "contract_from": "2026-02-30"}),
            ("contract_from", {"name": "x", "contract_from": "0001-01-01"}),
            (
                "contract_until",
                {"name": "x", "contract_from": "2026-02-02", "contract_until": "2026-02-01"},
            ),
            ("parent", {"name": "x", "parent": "nobody"}),
        ],
    )
    def test_names_the_field_that_is_wrong(self, field, content):
        number = content.pop("number", "A1")
        with pytest.raises(agents.AgentMalformed) as refusal:
            make.propose(number, new=True, **content)

        assert refusal.value.field == field

    def test_refuses_a_number_that_is_taken_unknown_or_a_change_of_nothing(self):
        known = make.agent("A1")

        with pytest.raises(agents.AgentMalformed, match="taken"):
            make.propose("A1", new=True, name="x")
        with pytest.raises(agents.AgentMalformed, match="no such"):
            make.propose("A2", name="x")
        with pytest.raises(agents.AgentMalformed, match="different"):
            make.propose("A1", name=known.name)

    def test_refuses_what_changed_meanwhile(self):
        known = make.agent("A1")
        first = make.propose("A1", name="first")
        other = agents.propose_parents(
            numbers=["A1"], parent=make.agent().number, reason="", maker=UserFactory(), at=AT
        )
        approve(other, at=AT)

        with pytest.raises(agents.AgentChanged):
            approve(first, at=AT)

        known.refresh_from_db()
        assert known.name != "first"


class TestChain:
    def test_has_five_levels_and_no_more(self):
        chain = [make.agent()]
        for _level in range(4):
            chain.append(make.agent(below=chain[-1]))

        with pytest.raises(agents.AgentMalformed, match="More than 5") as refusal:
            make.propose("deep", new=True, name="x", parent=chain[-1].number)
        assert refusal.value.field == "parent"
        top = make.agent()
        with pytest.raises(agents.AgentMalformed, match="More than 5"):
            make.propose(chain[0].number, parent=top.number)
        assert numbers(selectors.chain(chain[-1].pk)) == [one.number for one in reversed(chain)]
        assert selectors.below(chain[0].pk) == [one.pk for one in chain]

    def test_makes_no_circle(self):
        top = make.agent()
        low = make.agent(below=make.agent(below=top))

        with pytest.raises(agents.AgentMalformed, match="above itself"):
            make.propose(top.number, parent=low.number)
        with pytest.raises(agents.AgentMalformed, match="above itself"):
            make.propose(top.number, parent=top.number)

    def test_is_the_one_of_its_moment(self):
        """The worked table of docs/rules/agents.md."""
        head, east, west = (make.agent(no, at=JAN - DAY) for no in ("HEAD", "EAST", "WEST"))
        make.change(east, parent="HEAD", at=JAN)
        shop = MerchantFactory(agent=east, created_at=JAN)
        make.change(east, parent="WEST", at=FEB)
        make.move(west, shop, at=MAR)
        make.move(None, shop, at=MAR + DAY)

        def of(at: datetime) -> list[str]:
            return numbers(selectors.of_merchant_at(merchant_id=shop.id, at=at))

        assert of(JAN - DAY) == []
        assert of(JAN) == of(FEB - DAY) == ["EAST", "HEAD"]
        assert of(FEB) == of(MAR - DAY) == ["EAST", "WEST"]
        assert of(MAR) == ["WEST"]
        assert of(MAR + DAY) == []
        assert numbers(selectors.chain_at(agent_id=east.pk, at=JAN - DAY)) == ["EAST"]
        assert numbers(selectors.chain_at(agent_id=east.pk, at=JAN - 2 * DAY)) == []
        assert head.state == "ACTIVE"

    def test_goes_below_another_by_a_list(self):
        low, second, top = make.agent(), make.agent(), make.agent()
        names = [low.number, second.number]

        proposal = agents.propose_parents(
            numbers=[*names, low.number, " "], parent=top.number, reason="", maker=UserFactory(),
            at=AT,
        )  # fmt: skip
        assert proposal.after["agents"] == [f"{no} -→{top.number}" for no in names]
        approve(proposal, at=AT)

        assert set(selectors.below(top.pk)) == {top.pk, low.pk, second.pk}
        with pytest.raises(agents.AgentMalformed, match="already"):
            agents.propose_parents(
                numbers=names, parent=top.number, reason="", maker=UserFactory(), at=AT
            )
        with pytest.raises(agents.AgentMalformed, match="above itself"):
            agents.propose_parents(
                numbers=[top.number], parent=low.number, reason="", maker=UserFactory(), at=AT
            )
        approve(
            agents.propose_parents(numbers=names, parent="", reason="", maker=UserFactory(), at=AT),
            at=AT,
        )
        assert selectors.below(top.pk) == [top.pk]


class TestStop:
    def test_keeps_its_merchants_and_lets_it_bring_no_new_ones(self):
        one = make.agent()
        shop = MerchantFactory(agent=one)
        make.change(one, state="STOPPED")

        shop.refresh_from_db()
        assert shop.agent_id == one.pk
        with pytest.raises(agents.AgentMalformed, match="stopped") as refusal:
            make.propose_move(one, MerchantFactory())
        assert refusal.value.field == "agent"
        make.change(one, state="ACTIVE")
        make.move(one, MerchantFactory())

    def test_is_refused_while_active_agents_work_for_it(self):
        top = make.agent()
        low = make.agent(below=top)

        with pytest.raises(agents.AgentMalformed, match=low.number) as refusal:
            make.propose(top.number, state="STOPPED")
        assert refusal.value.field == "state"
        make.change(low, state="STOPPED")
        make.change(top, state="STOPPED")
        with pytest.raises(agents.AgentMalformed, match="stopped"):
            make.propose(low.number, state="ACTIVE")
        with pytest.raises(agents.AgentMalformed, match="stopped"):
            make.propose("new", new=True, name="x", parent=top.number)

    def test_ends_a_proposal_to_bring_somebody_through_it(self):
        one = make.agent()
        proposal = make.propose_move(one, MerchantFactory())
        make.change(one, state="STOPPED")

        with pytest.raises(agents.AgentMalformed, match="stopped"):
            approve(proposal, at=AT)
        assert not MerchantAgent.objects.exists()


class TestMove:
    def test_takes_a_list_from_where_each_stands_in_few_statements(
        self, django_assert_max_num_queries
    ):
        first, second = make.agent(), make.agent()
        shops = [MerchantFactory(agent=first if n % 2 else None) for n in range(30)]
        proposal = make.propose_move(second, *shops)

        with django_assert_max_num_queries(40):
            approve(proposal, at=AT)

        for shop in shops:
            shop.refresh_from_db()
        assert {shop.agent_id for shop in shops} == {second.pk}
        lines = MerchantAgent.objects.filter(merchant=shops[1]).order_by("sequence")
        assert [(line.agent_id, line.approval_id) for line in lines] == [
            (first.pk, None),
            (second.pk, proposal.id),
        ]

    def test_refuses_a_list_that_is_not_what_it_says(self):
        one, shop = make.agent(), MerchantFactory()
        for nos, words in (
            ([], "Name one"),
            (["nobody"], "Unknown"),
            (["a\0b"], "Unknown"),
            (["HOUSE"], "Unknown"),
        ):
            with pytest.raises(agents.AgentMalformed, match=words) as refusal:
                agent_move.propose(
                    merchant_nos=nos, agent=one.number, reason="", maker=UserFactory(), at=AT
                )
            assert refusal.value.field == "merchants"
        with pytest.raises(agents.AgentMalformed, match="already"):
            make.propose_move(None, shop)

    def test_refuses_a_merchant_that_moved_meanwhile(self):
        one, other, shop = make.agent(), make.agent(), MerchantFactory()
        late = make.propose_move(one, shop, MerchantFactory())
        make.move(other, shop)

        with pytest.raises(agents.AgentChanged, match=shop.merchant_no):
            approve(late, at=AT)

        shop.refresh_from_db()
        assert shop.agent_id == other.pk

    def test_is_decided_by_nobody_who_acts_for_a_merchant_of_the_list(self):
        one, shop = make.agent(), MerchantFactory()
        insider = UserFactory(is_superuser=True)
        account = UserFactory(person=insider.person)
        MembershipFactory(merchant=shop, user=account)
        for listed in ([shop], [shop, MerchantFactory()]):
            proposal = make.propose_move(one, *listed)
            with pytest.raises(approvals.CheckerGains):
                approvals.decide(
                    approval_id=proposal.id, merchant_id=proposal.merchant_id, checker=insider,
                    approve=True, reason="", seen_sha256=proposal.content_sha256, at=AT,
                )  # fmt: skip


class TestRecord:
    def test_counts_the_merchants_of_all_below(self):
        top = make.agent()
        low = make.agent(below=top)
        MerchantFactory(agent=top)
        MerchantFactory.create_batch(2, agent=low)
        MerchantFactory()

        found = selectors.record(top.pk)

        assert (found.merchants, found.own, found.frozen) == (3, 1, 0)
        assert [(b.number, b.children, b.merchants) for b in
                selectors.branches(agent_id=top.pk, most=5)] == [(low.number, 0, 2)]  # fmt: skip
