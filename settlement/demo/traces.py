"""What staff did in the demo: agents, a merchant taken on and being changed, one frozen at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from foundation.models import Approval
from foundation.services import approval as approvals
from merchants.models import Agent, Application, Document, Merchant, RiskGrade
from merchants.services import (
    agent,
    agent_move,
    application,
    application_change,
    application_review,
    merchant_emergency,
    merchant_state,
)
from settlement.demo import applications
from settlement.demo.people import colleague

# number, name, kind, whose it is
_AGENTS: Final = (
    ("EAST", "华东商户服务有限公司", "AGENT", ""),
    ("EAST-HZ", "杭州拓展合伙", "AGENT", "EAST"),
    ("CLOUDPOS", "云收银科技", "ISV", ""),
)
_BROUGHT: Final = {"EAST-HZ": slice(3, 6), "CLOUDPOS": slice(10, 12)}  # places of merchants


def make(merchants: Sequence[Merchant], *, at: datetime) -> None:
    """Leave the traces, each once, however often the demo runs."""
    if not Agent.objects.exists():
        _agents(merchants, at)
    if not Application.objects.filter(name=applications.GROCER.name).exists():
        _change(_taken_on(at), at)
    if not Approval.objects.filter(action=merchant_state.EMERGENCY).exists():
        merchant_emergency.freeze(
            merchant_nos=[merchants[-1].merchant_no],
            reason="收款金额异常，正在核实",
            case="RISK-2026-018",
            maker=colleague("risk"),
            at=at,
        )


def _agents(merchants: Sequence[Merchant], at: datetime) -> None:
    """Agents with their chain and merchants; a move that one of them asks for still waits."""
    maker = colleague("operator")
    for number, name, kind, parent in _AGENTS:
        content = {"name": name, "kind": kind, "parent": parent, "contract_from": "2026-01-01"}
        _approve(
            agent.propose(
                number=number, content=content, new=True, reason="代理协议", maker=maker, at=at
            ),
            at,
        )
    for number, places in _BROUGHT.items():
        _approve(_moved(merchants[places], number, at), at)
    _moved(merchants[5:6], "CLOUDPOS", at)


def _moved(merchants: Sequence[Merchant], number: str, at: datetime) -> Approval:
    return agent_move.propose(
        merchant_nos=[one.merchant_no for one in merchants],
        agent=number,
        reason="代理商提供的商户清单",
        maker=colleague("operator"),
        at=at,
    )


def _taken_on(at: datetime) -> Merchant:
    """Return a merchant that came by an application, reviewed by one and approved by another."""
    whole = applications.submit(applications.GROCER, entered_by=colleague("operator"), at=at)
    reviewer = colleague("reviewer")
    application_review.begin(application_id=whole.id, reviewer=reviewer, at=at)
    passed = application_review.propose(
        application_id=whole.id, risk_grade=RiskGrade.LOW, reason="", reviewer=reviewer, at=at
    )
    _approve(passed, at)
    return Merchant.objects.get(registration_no=whole.registration_no)


def _change(merchant: Merchant, at: datetime) -> None:
    """It has another name since; the change waits for its first review."""
    maker = colleague("operator")
    change = application_change.begin(merchant_id=merchant.id, kind="CHANGE", maker=maker, at=at)
    applications.send_in(change, Document.Kind.LICENCE, "licence_renewed.jpg", by=maker, at=at)
    owners, contacts, sites = applications.parts(applications.GROCER, at)
    saved = application.save(
        application_id=change.id,
        revision=change.revision,
        maker=maker,
        profile={"name": "宁波海曙鲜食有限公司"},
        owners=owners,
        contacts=contacts,
        sites=sites,
    )
    application.submit(
        application_id=change.id, revision=saved.application.revision, maker=maker, at=at
    )


def _approve(proposal: Approval, at: datetime) -> None:
    approvals.decide(
        approval_id=proposal.id,
        merchant_id=proposal.merchant_id,
        checker=colleague("checker"),
        approve=True,
        reason="",
        seen_sha256=proposal.content_sha256,
        at=at,
    )
