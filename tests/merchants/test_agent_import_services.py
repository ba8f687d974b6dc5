"""Agents and whom they bring, from files: all or nothing, every bad row named by its field."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from foundation import actor, sql
from foundation.csv_intake import FileRefused, Source
from foundation.exchange import Source as Upload
from foundation.models import Approval, AuditEvent
from foundation.services import audit
from foundation.sheet import Table
from merchants.models import Agent, AgentStep, Merchant, MerchantAgent
from merchants.selectors import agent as selectors
from merchants.services import agent_import, agent_sheet, house, merchant_import, merchant_sheet
from tests.factories import agent as make
from tests.factories.approval import approve
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
SHOP = {"name": "店", "registration_no": "", "city": "", "region": "", "country": "CN",
        "schedule": ""}  # fmt: skip


def file_of(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> Source:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    content = out.getvalue().encode()
    return Source.from_upload("list.csv", len(content), io.BytesIO(content))


def agents(*rows: Mapping[str, str]) -> agent_import.Imported:
    return agent_import.run(source=file_of(rows, agent_import.COLUMNS), at=NOON)


def bad(*rows: Mapping[str, str]) -> list[tuple[int, str, str]]:
    with pytest.raises(FileRefused) as refusal:
        agents(*rows)
    return [(one.row, one.column, one.reason) for one in refusal.value.bad]


def one(number: str, parent: str = "", **values: str) -> dict[str, str]:
    return {"agent_no": number, "name": f"代理 {number}", "parent_no": parent, **values}


class TestAgents:
    def test_come_in_any_order_with_their_chain_and_their_first_step(self):
        known = make.agent("TOP")

        came = agents(one("C", "B"), one("A", "TOP", kind="ISV"), one("B", "A"),
                      one("D", contract_from="2026-01-01", contact_email="a@b.cn"))  # fmt: skip

        assert (came.new, came.known) == (4, 0)
        low = Agent.objects.get(number="C")
        assert [link.number for link in selectors.chain(low.pk)] == ["C", "B", "A", "TOP"]
        assert set(AgentStep.objects.filter(agent__in=selectors.below(known.pk))
                   .values_list("agent__number", "sequence")) == {
            ("TOP", 1), ("A", 1), ("B", 1), ("C", 1)}  # fmt: skip
        assert [link.number for link in selectors.chain_at(agent_id=low.pk, at=NOON)] == [
            "C", "B", "A", "TOP"]  # fmt: skip
        assert AuditEvent.objects.filter(action="agents.import").count() == 1
        again = agents(one("C", "B"), one("A", "TOP", kind="ISV"), one("B", "A"))
        assert (again.new, again.known) == (0, 3)

    @pytest.mark.parametrize(
        ("rows", "found"),
        [
            ([one("A 1")], [(2, "agent_no", "agent_number_malformed")]),
            ([one("-")], [(2, "agent_no", "agent_number_malformed")]),
            ([one("", name="x")], [(2, "agent_no", "empty")]),
            ([one("A", name="")], [(2, "name", "empty")]),
            ([one("A", kind="BANK")], [(2, "kind", "not_allowed")]),
            ([one("A"), one("A")], [(3, "agent_no", "duplicate_in_file")]),
            ([one("A", "X")], [(2, "parent_no", "agent_unknown")]),
            ([one("A", "A")], [(2, "parent_no", "agent_circle")]),
            ([one("A", contract_from="2026-02-30")], [(2, "contract_from", "date_malformed")]),
            ([one("A", contact_email="nobody")], [(2, "contact_email", "email_malformed")]),
            (
                [one("A", contract_from="2026-02-02", contract_until="2026-02-01")],
                [(2, "contract_until", "contract_order")],
            ),
            (
                [one("A", "C"), one("ok"), one("B", "A"), one("C", "B"), one("D", "C")],
                [
                    (2, "parent_no", "agent_circle"),
                    (4, "parent_no", "agent_circle"),
                    (5, "parent_no", "agent_circle"),
                    (6, "parent_no", "agent_levels"),
                ],
            ),
        ],
    )
    def test_are_refused_by_row_and_field(self, rows, found):
        assert bad(*rows) == found
        assert not Agent.objects.exists()

    def test_stand_five_levels_deep_at_most_through_what_is_stored(self):
        top = make.agent("L1")
        make.agent("L2", below=top)

        agents(one("L3", "L2"), one("L4", "L3"), one("L5", "L4"))

        assert bad(one("L6", "L5")) == [(2, "parent_no", "agent_levels")]

    def test_name_neither_a_stopped_one_nor_another_parent_than_is_stored(self):
        stopped = make.agent("OFF")
        make.change(stopped, state="STOPPED")
        make.agent("A")

        assert bad(one("N", "OFF")) == [(2, "parent_no", "agent_stopped")]
        assert bad(one("A", "OFF")) == [(2, "parent_no", "conflict")]

    def test_come_by_the_command(self, tmp_path):
        path = tmp_path / "agents.csv"
        path.write_text("agent_no,name\nA1,甲\n", encoding="utf-8")

        call_command("import_agents", str(path))

        assert Agent.objects.get().name == "甲"

    def test_come_by_a_sheet_as_one_proposal(self):
        columns = agent_import.COLUMNS
        sheet = _table(columns, [one("B", "A"), one("A")])
        plan = agent_sheet.AgentSheet().plan(sheet)

        agent_sheet.propose(plan=plan, source=_source(), maker=UserFactory(), at=NOON)

        proposal = Approval.objects.get(action=agent_sheet.IMPORT)
        assert not Agent.objects.exists()
        assert [row[0] for row in agent_sheet.rows_of(proposal)] == ["B", "A"]
        approve(proposal, at=NOON)
        step = AgentStep.objects.get(agent__number="B")
        assert (step.approval_id, step.parent.number) == (proposal.id, "A")


class TestMerchants:
    def shops(self, *rows: Mapping[str, str], columns: Sequence[str] = merchant_import.COLUMNS):
        rows = [{**SHOP, **row} for row in rows]
        return merchant_import.run(source=file_of(rows, columns), at=NOON)

    def test_come_with_their_agent_in_force_since_they_are_there(self):
        one = make.agent("A1")

        self.shops({"merchant_no": "S1", "agent_no": "A1"}, {"merchant_no": "S2"})

        first = Merchant.objects.get(merchant_no="S1")
        line = MerchantAgent.objects.get()
        assert (first.agent, line.merchant_id, line.sequence) == (one, first.pk, 1)
        assert line.from_at == first.created_at

    def test_are_refused_by_row_and_field_for_an_unknown_or_stopped_agent(self):
        make.change(make.agent("OFF"), state="STOPPED")
        with pytest.raises(FileRefused) as refusal:
            self.shops(
                {"merchant_no": "S1", "agent_no": "X"},
                {"merchant_no": "S2"},
                {"merchant_no": "S3", "agent_no": "OFF"},
            )

        assert [(one.row, one.column, one.reason) for one in refusal.value.bad] == [
            (2, "agent_no", "agent_unknown"),
            (4, "agent_no", "agent_stopped"),
        ]

    def test_are_known_by_the_agent_they_came_with_whoever_has_them_now(self):
        first, other = make.agent("A1"), make.agent("A2")
        self.shops({"merchant_no": "S1", "agent_no": "A1"})
        make.move(other, Merchant.objects.get(merchant_no="S1"), at=NOON)
        make.change(first, state="STOPPED", at=NOON)

        assert self.shops({"merchant_no": "S1", "agent_no": "A1"}).known == 1
        assert self.shops({"merchant_no": "S1"}).known == 1
        assert self.shops({"merchant_no": "S1"}, columns=merchant_import.NEEDED).known == 1
        with pytest.raises(FileRefused) as refusal:
            self.shops({"merchant_no": "S1", "agent_no": "A2"})
        assert [(one.column, one.reason, one.detail) for one in refusal.value.bad] == [
            ("agent_no", "conflict", "A1")
        ]

    def test_of_a_proposal_name_no_agent_where_there_is_none(self):
        plan = merchant_sheet.MerchantSheet().plan(
            _table(merchant_sheet.COLUMNS, [{**SHOP, "merchant_no": "S1"}])
        )
        merchant_sheet.propose(plan=plan, source=_source(), maker=UserFactory(), at=NOON)
        proposal = Approval.objects.get(action=merchant_sheet.IMPORT)
        assert proposal.after["merchants"] == ["S1,店,,,,CN,"]
        assert merchant_sheet.rows_of(proposal) == [["S1", "店", "", "", "", "CN", "", ""]]

    def test_are_taken_out_with_their_agent_in_one_statement(self):
        for _n in range(3):
            MerchantFactory(agent=make.agent())
        resource = merchant_sheet.MerchantList()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            rows = [resource.export_resource(row) for row in merchant_sheet.chosen({})]

        place = resource.get_export_headers().index("agent_no")
        assert {row[place] for row in rows} == set(Agent.objects.values_list("number", flat=True))
        assert len(queries) == 1
        agent_rows = list(agent_sheet.chosen({"state": "ACTIVE"}))
        counted = agent_sheet.AgentList().export_resource(agent_rows[0])
        assert counted[-1] in (1, "1")


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> Table:
    found = tuple(
        (number, tuple(row.get(name, "") for name in columns)) for number, row in enumerate(rows, 2)
    )
    return Table(tuple(columns), found)


def _source() -> Upload:
    return Upload(import_id=1, file_name="list.csv", sha256="0" * 64)


def _add_raw(number: str) -> None:
    """Add an agent like another one by SQL alone, as an operator's file does, and commit it."""
    columns = "kind, contact_name, contact_email, state"
    sql.execute(
        f"INSERT INTO merchants_agent (number, name, {columns}, steps, created_at)"
        f" SELECT %s, 'raw', {columns}, 1, now() FROM merchants_agent LIMIT 1",
        [number],
    )
    sql.execute(
        f"INSERT INTO merchants_agent_step (agent_id, sequence, name, {columns}, from_at, actor,"
        f" request_id) SELECT id, 1, 'raw', {columns}, created_at, 'import_agents', ''"
        " FROM merchants_agent WHERE number = %s",
        [number],
    )
    sql.execute("SET CONSTRAINTS ALL IMMEDIATE")


class TestAnAgentWithoutAProposal:
    def test_comes_only_with_its_line_in_the_audit_trail(self):
        make.agent()

        with pytest.raises(DatabaseError, match="agent_not_audited"), transaction.atomic():
            _add_raw("RAW")

        with actor.acting("import_agents"):
            audit.record(
                merchant_id=house.house().id, action="agents.import", object_kind="file",
                object_id="x", after={"name": "a.csv", "rows": 1, "new": 1},
            )  # fmt: skip
        _add_raw("RAW")

        assert Agent.objects.filter(number="RAW").exists()
