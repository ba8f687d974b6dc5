"""Agents in the admin: lists, pages, forms that propose, and what they cost."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from foundation.models import Approval
from merchants.models import Agent
from merchants.services import agent as agents
from merchants.services import agent_move
from tests.factories import agent as make
from tests.factories.approval import approve
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db
LIST = "admin:merchants_agent_changelist"
SHOPS = "admin:merchants_merchant_changelist"


def door(role: str = "operator", language: str = "en") -> Client:
    user = UserFactory(is_staff=True, language=language)
    user.groups.set(Group.objects.filter(name=role))
    client = Client()
    client.force_login(user)
    return client


def numbers(page) -> list[str]:
    return [row.number for row in page.context["cl"].result_list]


class TestTheForms:
    SAID = {"number": "A1", "name": "华东代理", "kind": "ISV", "reason": "新签"}

    def test_propose_a_new_agent(self):
        answer = door().post(reverse("admin:merchants_agent_propose"),
                             self.SAID | {"contract_until": "2027-12-31"})  # fmt: skip

        assert answer.status_code == 302
        proposal = Approval.objects.get(action=agents.CHANGE)
        assert not Agent.objects.exists()
        approve(proposal, at=make.AT)
        made = Agent.objects.get()
        assert (made.number, made.kind, str(made.contract_until)) == ("A1", "ISV", "2027-12-31")

    @pytest.mark.parametrize(
        ("sent", "field"),
        [
            ({"number": "A 1"}, "number"),
            ({"name": ""}, "name"),
            ({"kind": "BANK"}, "kind"),
            ({"parent": "nobody"}, "parent"),
            ({"contact_email": "x"}, "contact_email"),
            ({"contract_from": "tomorrow"}, "contract_from"),
            ({"contract_from": "2026-02-02", "contract_until": "2026-02-01"}, "contract_until"),
            ({"reason": ""}, "reason"),
            ({"number": "A" * 80}, "number"),
        ],
    )
    def test_say_beside_the_field_what_is_wrong(self, sent, field):
        page = door().post(reverse("admin:merchants_agent_propose"), self.SAID | sent)

        assert page.status_code == 400
        assert field in page.context["form"].errors
        assert not Approval.objects.exists()

    def test_change_an_agent_and_keep_what_was_not_changed(self):
        one = make.agent(below=make.agent())
        address = reverse("admin:merchants_agent_edit", args=[one.pk])
        client = door()
        form = client.get(address).context["form"]
        sent = {name: field.value() or "" for name, field in
                ((name, form[name]) for name in form.fields)}  # fmt: skip

        answer = client.post(address, sent | {"contact_name": "王芳", "reason": "换人"})

        assert answer.status_code == 302
        approve(Approval.objects.latest("id"), at=make.AT)
        one.refresh_from_db()
        assert (one.contact_name, one.parent is None, one.steps) == ("王芳", False, 2)
        assert client.get(reverse("admin:merchants_agent_edit", args=[0])).status_code == 404

    def test_propose_lists(self):
        top, low, shop = make.agent(), make.agent(), MerchantFactory()
        client = door()
        client.post(
            reverse("admin:merchants_agent_parents"),
            {"parent": top.number, "agents": f"{low.number}，", "reason": "归并"},
        )
        address = reverse("admin:merchants_agent_assign")
        client.post(address, {"agent": top.number, "merchants": shop.merchant_no, "reason": "补录"})

        assert set(Approval.objects.order_by("-id").values_list("action", flat=True)[:2]) == {
            agents.PARENT, agent_move.ASSIGN}  # fmt: skip
        page = client.post(address, {"agent": "x", "merchants": shop.merchant_no, "reason": "补录"})
        assert "agent" in page.context["form"].errors
        page = client.post(address, {"agent": top.number, "merchants": "x\0", "reason": "补录"})
        assert "merchants" in page.context["form"].errors
        chosen = client.get(f"{address}?chosen={shop.pk}&agent={top.number}").content.decode()
        assert shop.merchant_no in chosen
        assert f'<option value="{top.number}">' in chosen

    def test_open_from_boxes_that_were_ticked(self):
        shop = MerchantFactory()
        ticked = {"action": "assign_chosen", "_selected_action": [shop.pk]}
        answer = door().post(reverse(SHOPS), ticked)

        assert answer.url == f"{reverse('admin:merchants_agent_assign')}?chosen={shop.pk}"

    @pytest.mark.parametrize("role", ["reviewer", "checker", "auditor", "finance"])
    def test_are_for_who_may_propose_alone(self, role):
        client = door(role)
        for name in ("propose", "assign", "parents"):
            assert client.get(reverse(f"admin:merchants_agent_{name}")).status_code == 403
        one = make.agent()
        assert client.get(reverse("admin:merchants_agent_edit", args=[one.pk])).status_code == 403
        page = client.get(reverse("admin:merchants_agent_change", args=[one.pk]))
        assert page.status_code == 200
        assert page.context["steps"] == []


class TestThePages:
    def test_list_filter_and_search(self):
        top = make.agent("N1")
        low = make.agent("N2", below=top)
        make.change(make.agent("S1"), state="STOPPED")
        client = door("auditor")

        assert numbers(client.get(reverse(LIST))) == ["N1", "N2", "S1"]
        for query, found in (
            ({"state": "STOPPED"}, ["S1"]),
            ({"parent_no": "N1"}, ["N2"]),
            ({"agent_no": "N1"}, ["N1", "N2"]),
            ({"agent_no": "x"}, []),
            ({"agent_no": "\0"}, []),
            ({"q": "N2"}, ["N2"]),
            ({"q": low.name}, ["N2"]),
        ):
            assert numbers(client.get(reverse(LIST), query)) == found, query

    def test_of_merchants_filter_by_an_agent_and_all_below(self):
        top = make.agent()
        low = make.agent(below=top)
        mine = MerchantFactory(agent=top), MerchantFactory(agent=low)
        MerchantFactory()
        client = door("auditor")

        page = client.get(reverse(SHOPS), {"agent_no": top.number})

        assert [row.merchant_no for row in page.context["cl"].result_list] == [
            shop.merchant_no for shop in mine
        ]
        page = client.get(reverse("admin:merchants_merchant_change", args=[mine[1].pk]))
        text = page.content.decode()
        assert text.index(top.name) < text.index(low.name)

    def test_of_a_deep_and_wide_tree_cost_what_a_small_one_costs(self):
        small = make.agent()
        make.agent(below=small)
        tree = [make.agent()]
        for _level in range(3):
            tree.append(make.agent(below=tree[-1]))
        for _n in range(6):
            MerchantFactory.create_batch(2, agent=make.agent(below=tree[0]))
        client = door("auditor")
        client.get(reverse("admin:merchants_agent_change", args=[small.pk]))

        def cost(one: Agent) -> int:
            with CaptureQueriesContext(connection) as queries:
                page = client.get(reverse("admin:merchants_agent_change", args=[one.pk]))
            assert page.status_code == 200
            return len(queries)

        assert cost(tree[0]) == cost(small)
        with CaptureQueriesContext(connection) as few:
            client.get(reverse(LIST), {"parent_no": small.number})
        with CaptureQueriesContext(connection) as many:
            client.get(reverse(LIST), {"parent_no": tree[0].number})
        assert len(few) == len(many)

    def test_show_more_than_a_page_of_branches_as_a_link(self, monkeypatch):
        monkeypatch.setattr("merchants.admin.agent._SHOWN_BELOW", 2)
        top = make.agent()
        low = [make.agent(below=top) for _n in range(3)]

        text = door("auditor").get(
            reverse("admin:merchants_agent_change", args=[top.pk])).content.decode()  # fmt: skip

        assert low[1].name in text
        assert low[2].name not in text
        assert f"?parent_no={top.number}" in text

    def test_stop_and_restart_by_a_proposal_that_the_page_shows(self):
        one = make.agent()
        client = door()
        step = reverse("admin:merchants_agent_step", args=[one.pk, "stop"])
        address = reverse("admin:merchants_agent_change", args=[one.pk])

        client.post(step, {"reason": "到期"})

        page = client.get(address)
        assert [waiting.changes for waiting in page.context["waiting"]] == [
            [("state", "active", "stopped"), ("step", None, 2)]
        ]
        approve(Approval.objects.latest("id"), at=make.AT)
        page = client.get(address)
        assert [entry["step"].name for entry in page.context["steps"]] == ["restart"]
        assert (
            client.get(reverse("admin:merchants_agent_timeline", args=[one.pk])).status_code == 200
        )

    def test_are_found_by_number_and_are_none_of_a_merchants_business(self):
        one = make.agent("FIND1")
        found = door("auditor").get(reverse("admin:find"), {"q": "FIND1"}).content.decode()
        assert reverse("admin:merchants_agent_change", args=[one.pk]) in found
        stranger = Client()
        stranger.force_login(UserFactory())
        assert stranger.get(reverse(LIST)).status_code == 302
