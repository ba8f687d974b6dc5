"""Agents: their chain up and down, whom they brought, now and as of a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from foundation import sql
from merchants.models import Agent, MerchantAgent
from merchants.models.agent import MAX_LEVELS, AgentState

# Bounded by MAX_LEVELS, so a circle that no guard could have let in would end too.
_BELOW: Final = """
WITH RECURSIVE down (id, level) AS (
  SELECT a.id, 0 FROM merchants_agent a WHERE a.id = %(agent)s
  UNION ALL
  SELECT a.id, d.level + 1 FROM down d JOIN merchants_agent a ON a.parent_id = d.id
   WHERE d.level < %(levels)s
)
"""
_ABOVE: Final = """
WITH RECURSIVE up (id, level) AS (
  SELECT a.id, 1 FROM merchants_agent a WHERE a.id = %(agent)s
  UNION ALL
  SELECT a.parent_id, u.level + 1 FROM up u JOIN merchants_agent a ON a.id = u.id
   WHERE a.parent_id IS NOT NULL AND u.level <= %(levels)s
)
SELECT u.level, a.id AS agent_id, a.number, a.name, a.state
  FROM up u JOIN merchants_agent a ON a.id = u.id ORDER BY u.level
"""
_RECORD: Final = (
    _BELOW
    + """
SELECT count(m.id) AS merchants, count(m.id) FILTER (WHERE m.status = 'FROZEN') AS frozen,
       count(m.id) FILTER (WHERE m.status IN ('CLOSING', 'CLOSED')) AS closed,
       count(m.id) FILTER (WHERE d.level = 0) AS own
  FROM down d JOIN merchants_merchant m ON m.agent_id = d.id
"""
)


@dataclass(frozen=True, slots=True)
class Link:
    """One agent of a chain; level 1 is the agent it is the chain of."""

    level: int
    agent_id: int
    number: str
    name: str
    state: str

    @property
    def label(self) -> str:
        """The state in the reader's language."""
        return str(AgentState(self.state).label)


@dataclass(frozen=True, slots=True)
class Record:
    """What has become of the merchants an agent and those below it have now; `own` are its own."""

    merchants: int
    frozen: int
    closed: int
    own: int


@dataclass(frozen=True, slots=True)
class Branch:
    """An agent below another, with how many it has below it and how many merchants of its own."""

    agent_id: int
    number: str
    name: str
    state: str
    level: int
    children: int
    merchants: int

    @property
    def label(self) -> str:
        """The state in the reader's language."""
        return str(AgentState(self.state).label)


def chain(agent_id: int) -> list[Link]:
    """Return an agent and those above it, from itself up, in one statement."""
    return [Link(**row) for row in sql.rows(_ABOVE, {"agent": agent_id, "levels": MAX_LEVELS})]


def chain_at(*, agent_id: int, at: datetime) -> list[Link]:
    """Return an agent and those above it as things stood at a moment. Rule: AGT-8."""
    rows = sql.rows("SELECT * FROM public.merchants_agent_chain_at(%s, %s)", [agent_id, at])
    return [Link(**row) for row in rows]


def of_merchant_at(*, merchant_id: int, at: datetime) -> list[Link]:
    """
    Return by whom a merchant came and who stood above, as of a moment, from its own agent up.

    Empty where nobody brought it. What a commission is computed from later. Rule: AGT-8
    (docs/rules/agents.md).
    """
    rows = sql.rows(
        "SELECT c.* FROM public.merchants_agent_chain_at("
        "public.merchants_agent_at(%(merchant)s, %(at)s), %(at)s) c",
        {"merchant": merchant_id, "at": at},
    )
    return [Link(**row) for row in rows]


def below(agent_id: int) -> list[int]:
    """Return the ids of an agent and of all below it, in one statement."""
    statement = _BELOW + "SELECT id FROM down"
    rows = sql.rows(statement, {"agent": agent_id, "levels": MAX_LEVELS})
    return [row["id"] for row in rows]


def height(agent_id: int) -> int:
    """Return how many levels stand below an agent: 0 where nobody works for it."""
    statement = _BELOW + "SELECT max(level) AS level FROM down"
    return int(sql.rows(statement, {"agent": agent_id, "levels": MAX_LEVELS})[0]["level"] or 0)


def branches(*, agent_id: int, most: int) -> list[Branch]:
    """
    Return at most `most` agents directly below one, by number, with what each has below it.
    """
    rows = sql.rows(
        """
        SELECT a.id AS agent_id, a.number, a.name, a.state, 1 AS level,
               (SELECT count(*) FROM merchants_agent c WHERE c.parent_id = a.id) AS children,
               (SELECT count(*) FROM merchants_merchant m WHERE m.agent_id = a.id) AS merchants
          FROM merchants_agent a WHERE a.parent_id = %s ORDER BY a.number LIMIT %s
        """,
        [agent_id, most],
    )
    return [Branch(**row) for row in rows]


def record(agent_id: int) -> Record:
    """Return what became of the merchants of an agent and of those below it."""
    row = sql.rows(_RECORD, {"agent": agent_id, "levels": MAX_LEVELS})[0]
    return Record(**row)


def history(merchant_id: int) -> list[MerchantAgent]:
    """Return by whom a merchant came, latest first; each line holds until the one before it."""
    lines = MerchantAgent.objects.filter(merchant_id=merchant_id).select_related("agent")
    return list(lines.order_by("-sequence")[:20])


def active(text: str = "", *, most: int) -> Sequence[Agent]:
    """Return agents that may bring merchants, by number."""
    found = Agent.objects.filter(state=AgentState.ACTIVE)
    if text:
        found = found.filter(number__startswith=text)
    return list(found.order_by("number")[:most])


def by_number(number: str) -> Agent | None:
    """Return the agent of a number."""
    if "\0" in number:
        return None
    return Agent.objects.select_related("parent").filter(number=number).first()


def content(agent: Any, number: str, parent: str) -> dict[str, str]:
    """Return what is agreed with an agent as proposals say it; SQL says the same."""
    day = {
        name: "" if getattr(agent, name) is None else getattr(agent, name).isoformat()
        for name in ("contract_from", "contract_until")
    }
    return {
        "number": number,
        "name": agent.name,
        "kind": agent.kind,
        "contact_name": agent.contact_name,
        "contact_email": agent.contact_email,
        **day,
        "state": agent.state,
        "parent": parent,
    }
