"""By whom merchants came: a list goes from one agent to another, as two persons agree."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from foundation import actor, sql
from foundation.models import Approval, User
from foundation.registries import ApprovalAction, Risk
from foundation.selectors.house import house_id
from foundation.services import approval as approvals
from merchants.models import Merchant
from merchants.selectors import agent as agents
from merchants.selectors import membership as memberships
from merchants.services.agent import LASTS, AgentChanged, AgentMalformed, bringing

ASSIGN: Final = "merchants.agent_assign"
MOST: Final = 5_000  # merchants of one list
_NAMED: Final = 5
NOBODY: Final = "-"  # as lists say that a merchant came by itself
# Locked in order of id, so that two lists with the same merchants wait for each other; read by a
# statement of its own, which sees what the other list did.
_LOCK: Final = """
SELECT m.id FROM merchants_merchant m
 WHERE m.merchant_no = ANY (%(numbers)s) ORDER BY m.id FOR NO KEY UPDATE
"""
_STANDING: Final = """
SELECT m.id, m.merchant_no, coalesce(a.number, '-') AS agent
  FROM merchants_merchant m LEFT JOIN merchants_agent a ON a.id = m.agent_id
 WHERE m.merchant_no = ANY (%(numbers)s) AND m.kind = 'MERCHANT' ORDER BY m.id
"""
_WRITE: Final = """
INSERT INTO merchants_merchant_agent (merchant_id, sequence, agent_id, from_at, approval_book,
       approval_id, actor, request_id)
SELECT w.merchant_id, coalesce((SELECT max(l.sequence) FROM merchants_merchant_agent l
         WHERE l.merchant_id = w.merchant_id), 0) + 1,
       (SELECT a.id FROM merchants_agent a WHERE a.number = %(agent)s), %(at)s, %(book)s,
       %(approval)s, %(actor)s, %(request_id)s
  FROM unnest(%(merchants)s::bigint[]) AS w (merchant_id)
"""


def propose(
    *, merchant_nos: Iterable[str], agent: str, reason: str, maker: User, at: datetime
) -> Approval:
    """
    Propose by whom one merchant or a list came from now on; `agent` is a number, "" for nobody.
    The list, with where each stands and goes, is frozen in the proposal.

    Raises: AgentMalformed naming the first that cannot, AlreadyProposed. Rule: AGT-6.
    """
    goal = agent.strip() or NOBODY
    if goal != NOBODY:
        bringing(goal, field="agent")
    asked = list(dict.fromkeys(no.strip() for no in merchant_nos if no.strip()))
    if not asked or len(asked) > MOST:
        raise AgentMalformed(
            _("Name one to %(most)s merchants.") % {"most": MOST}, field="merchants"
        )
    stands = {row["merchant_no"]: row for row in _standing(asked)}
    unknown = [no for no in asked if no not in stands]
    if unknown:
        raise AgentMalformed(
            _("Unknown merchants: %(numbers)s") % {"numbers": _named(unknown)}, field="merchants"
        )
    there = [no for no in asked if stands[no]["agent"] == goal]
    if there:
        raise AgentMalformed(
            _("Stand there already: %(numbers)s") % {"numbers": _named(there)}, field="merchants"
        )
    entries = [entry(no, stands[no]["agent"], goal) for no in asked]
    digest = hashlib.sha256("\n".join(entries).encode()).hexdigest()
    single = len(asked) == 1
    book = stands[asked[0]]["id"] if single else house_id()
    return approvals.propose(
        action=ASSIGN,
        merchant_id=book,
        subject=f"merchant_agent:{book}" if single else f"merchant_agents:{digest[:32]}",
        before={"agent": _counted(stands[no]["agent"] for no in asked)},
        after={
            "agent": goal,
            "count": len(entries),
            "list_sha256": digest,
            "merchants": entries,
        },
        money_effect=None,
        reason=reason,
        maker=maker,
        at=at,
        expires_at=at + LASTS,
    )


def entry(merchant_no: str, before: str, after: str) -> str:
    """Return how a proposal says one merchant's move; the database reads the same words."""
    return f"{merchant_no} {before}→{after}"


def _standing(numbers: list[str], *, lock: bool = False) -> list[sql.Row]:
    given = {"numbers": [no for no in numbers if "\0" not in no]}
    if lock:
        sql.execute(_LOCK, given)
    return sql.rows(_STANDING, given)


def _named(numbers: list[str]) -> str:
    shown = ", ".join(one[:80] for one in numbers[:_NAMED])
    more = len(numbers) - _NAMED
    return shown if more <= 0 else shown + " " + _("and %(more)s more") % {"more": more}


def _counted(stands: Iterable[str]) -> str:
    """Name the agents that the list leaves, each once."""
    return ", ".join(sorted(set(stands))[:20])


def _apply(approval: Approval, at: datetime) -> None:
    """Move the whole list in the deciding transaction. Raises AgentChanged, AgentMalformed."""
    actor.stamp_transaction()
    goal = approval.after["agent"]
    if goal != NOBODY:
        bringing(goal, field="agent", lock=True)
    wanted = dict(line.rsplit(" ", 1) for line in approval.after["merchants"])
    locked = _standing(list(wanted), lock=True)
    moved = [
        row["merchant_no"]
        for row in locked
        if wanted[row["merchant_no"]] != f"{row['agent']}→{goal}"
    ]
    if moved or len(locked) != len(wanted):
        raise AgentChanged(
            _("Not where they were when this was proposed: %(numbers)s. Propose it again.")
            % {"numbers": _named(moved)}
        )
    by = actor.current()
    sql.execute(
        _WRITE,
        {
            "merchants": [row["id"] for row in locked],
            "agent": goal,
            "at": approval.closed_at,
            "book": approval.merchant_id,
            "approval": approval.id,
            "actor": by.name,
            "request_id": by.request_id,
        },
    )


def _describe(approval: Approval) -> str:
    """Say a proposal in one sentence, in the reader's language."""
    after = approval.after
    said = {
        "count": after["count"],
        "agent": after["agent"],
        "number": after["merchants"][0].rsplit(" ", 1)[0],
    }
    if after["count"] == 1:
        if after["agent"] == NOBODY:
            return _("Merchant %(number)s came by no agent") % said
        return _("Merchant %(number)s came by agent %(agent)s") % said
    if after["agent"] == NOBODY:
        return _("%(count)s merchants came by no agent") % said
    return _("%(count)s merchants came by agent %(agent)s") % said


def _gains(approval: Approval) -> frozenset[str]:
    """Return who acts for a merchant of the list; the list itself lies in the house's book."""
    numbers = [line.rsplit(" ", 1)[0] for line in approval.after["merchants"]]
    found = Merchant.objects.filter(merchant_no__in=numbers)
    return memberships.insiders(found.values_list("id", flat=True))


def _page(approval: Approval) -> str:
    """Return the merchant's page, or that of the agent."""
    if approval.after["count"] == 1:
        return reverse("admin:merchants_merchant_change", args=[approval.merchant_id])
    found = agents.by_number(approval.after["agent"])
    if found is None:
        return reverse("admin:merchants_agent_changelist")
    return reverse("admin:merchants_agent_change", args=[found.pk])


ACTION: Final = ApprovalAction(
    ASSIGN,
    _apply,
    _describe,
    permission="merchants.approve_agent",
    title=gettext_lazy("By whom merchants came"),
    risk=Risk.HIGH,
    gains=_gains,
    page=_page,
)
