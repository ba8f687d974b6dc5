"""Agents, made and moved the only way there is: proposed and approved."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

from foundation.models import Approval
from merchants.models import Agent, Merchant
from merchants.services import agent as agents
from merchants.services import agent_move
from tests.factories.approval import approve
from tests.factories.foundation import UserFactory

AT = datetime(2026, 1, 1, tzinfo=UTC)
_numbers = count(1)


def propose(number: str, *, new: bool = False, at: datetime = AT, **content: str) -> Approval:
    """Return an open proposal by a new person."""
    return agents.propose(
        number=number, content=content, new=new, reason="a test", maker=UserFactory(), at=at
    )


def agent(number: str = "", *, below: Agent | None = None, at: datetime = AT) -> Agent:
    """Return a new active agent, below another one or on top."""
    number = number or f"AG{next(_numbers):04d}"
    parent = "" if below is None else below.number
    approve(propose(number, new=True, at=at, name=f"代理 {number}", parent=parent), at=at)
    return Agent.objects.get(number=number)


def change(one: Agent, *, at: datetime = AT, **content: str) -> Agent:
    """Change an agent as two persons agree, and return it as it is then."""
    approve(propose(one.number, at=at, **content), at=at)
    one.refresh_from_db()
    return one


def propose_move(
    one: Agent | None, *merchants: Merchant, at: datetime = AT, **more: Any
) -> Approval:
    """Return an open proposal that merchants came by an agent."""
    return agent_move.propose(
        merchant_nos=[merchant.merchant_no for merchant in merchants],
        agent="" if one is None else one.number,
        reason="a test",
        at=at,
        **({"maker": UserFactory()} | more),
    )


def move(one: Agent | None, *merchants: Merchant, at: datetime = AT) -> Approval:
    """Let merchants have come by an agent, as two persons agree."""
    return approve(propose_move(one, *merchants, at=at), at=at)
