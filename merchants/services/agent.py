"""Agents: taken on, changed, put below another, stopped. One proposes, another person decides."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import DomainError, Malformed
from foundation import actor, sql
from foundation.models import Approval, User
from foundation.registries import ApprovalAction, Risk
from foundation.selectors.house import house_id
from foundation.services import approval as approvals
from merchants.models import Agent, AgentKind, AgentState, AgentStep
from merchants.models.agent import MAX_LEVELS
from merchants.selectors import agent as agents

CHANGE: Final = "merchants.agent"  # a new agent, or an old one as it shall be
PARENT: Final = "merchants.agent_parent"  # a list of agents put below another
LASTS: Final = timedelta(days=7)
MOST: Final = 500  # agents of one list
NUMBER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FIELDS: Final = (
    "name", "kind", "contact_name", "contact_email", "contract_from", "contract_until", "state",
    "parent",
)  # fmt: skip
# All who change the chain wait for each other; the trigger takes the same lock.
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('merchants.agent.chain', 0))"
_WIDTHS: Final = {"name": 200, "contact_name": 100, "contact_email": 200}


class AgentMalformed(Malformed):
    """What was asked for cannot be, for the reason it names, in the field it names."""

    code = "agent_malformed"

    @property
    def field(self) -> str:
        """Where the mistake is, so that the form says it there."""
        return str(self.details["field"])


class AgentChanged(DomainError):
    """An agent is no longer as it was when the change was proposed."""

    code = "agent_changed"


def propose(
    *, number: str, content: Mapping[str, str], new: bool, reason: str, maker: User, at: datetime
) -> Approval:
    """
    Propose an agent as it shall be: `content` has FIELDS as text, days in ISO 8601, `parent` the
    number of the agent it works for or "". What a known agent's content leaves out stays.

    Raises: AgentMalformed, AlreadyProposed. Rule: AGT-1 to AGT-5 (docs/rules/agents.md).
    """
    known = agents.by_number(number)
    if new and known is not None:
        raise AgentMalformed(_("This number is taken."), field="number")
    if not new and known is None:
        raise AgentMalformed(_("There is no such agent."), field="number")
    before = {} if known is None else content_of(known)
    after = {**_empty(number), **before, **{name: text.strip() for name, text in content.items()}}
    check(after, known)
    if before == after:
        raise AgentMalformed(_("Nothing is different."), field="name")
    return approvals.propose(
        action=CHANGE,
        merchant_id=house_id(),
        subject=_subject(number, known),
        before=before,
        after={**after, "step": 1 if known is None else known.steps + 1},
        money_effect=None,
        reason=reason,
        maker=maker,
        at=at,
        expires_at=at + LASTS,
    )


def bringing(number: str, *, field: str, lock: bool = False) -> Agent:
    """
    Return an agent that brings merchants; with `lock` nobody stops it before the transaction ends.

    Raises: AgentMalformed in the field it is about. Rule: AGT-5.
    """
    rows = Agent.objects.select_for_update(of=("self",), no_key=True) if lock else Agent.objects
    found = rows.filter(number=number.replace("\0", "")).first()
    if found is None:
        raise AgentMalformed(
            _("There is no agent %(number)s.") % {"number": number[:64]}, field=field
        )
    if found.state != AgentState.ACTIVE:
        raise AgentMalformed(
            _("%(number)s is stopped; it brings no merchants.") % {"number": number}, field=field
        )
    return found


def propose_parents(
    *, numbers: Iterable[str], parent: str, reason: str, maker: User, at: datetime
) -> Approval:
    """
    Propose to put a list of agents below another one, or on top where `parent` is "".

    Raises: AgentMalformed naming the first that cannot go there, AlreadyProposed. Rule: AGT-4.
    """
    asked = list(dict.fromkeys(no.strip() for no in numbers if no.strip()))
    if not asked or len(asked) > MOST:
        raise AgentMalformed(_("Name one to %(most)s agents.") % {"most": MOST}, field="agents")
    entries = []
    for known in _found(asked):
        content = content_of(known)
        if content["parent"] == parent:
            raise AgentMalformed(
                _("%(number)s stands there already.") % {"number": known.number}, field="agents"
            )
        check({**content, "parent": parent}, known)
        entries.append(f"{known.number} {content['parent'] or '-'}→{parent or '-'}")
    digest = hashlib.sha256("\n".join(entries).encode()).hexdigest()
    return approvals.propose(
        action=PARENT,
        merchant_id=house_id(),
        subject=f"agents:{digest[:32]}",
        before={},
        after={"parent": parent, "count": len(entries), "agents": entries, "list_sha256": digest},
        money_effect=None,
        reason=reason,
        maker=maker,
        at=at,
        expires_at=at + LASTS,
    )


def content_of(agent: Agent) -> dict[str, str]:
    """Return an agent as it stands, as a proposal says it."""
    return agents.content(agent, agent.number, "" if agent.parent is None else agent.parent.number)


def check(content: Mapping[str, str], known: Agent | None) -> None:
    """Refuse what an agent cannot be, in the field it is about. Raises AgentMalformed."""
    check_plain(content)
    if known is None and content["state"] != AgentState.ACTIVE:
        raise AgentMalformed(_("A new agent is active."), field="state")
    if content["state"] == AgentState.STOPPED and known is not None:
        _require_no_active_children(known)
    if content["parent"]:
        _require_place(content, known)


def check_plain(content: Mapping[str, str]) -> None:
    """Refuse what is wrong by itself, whoever the others are. Raises AgentMalformed."""
    if not NUMBER.fullmatch(content["number"]):
        raise AgentMalformed(
            _("Letters, digits, dot, hyphen and underscore, at most 64 of them."), field="number"
        )
    for name, most in _WIDTHS.items():
        if len(content[name]) > most or "\0" in content[name]:
            raise AgentMalformed(_("At most %(most)s characters.") % {"most": most}, field=name)
    if not content["name"]:
        raise AgentMalformed(_("A name is needed."), field="name")
    for name, allowed in (("kind", AgentKind.values), ("state", AgentState.values)):
        if content[name] not in allowed:
            raise AgentMalformed(_("One of %(names)s.") % {"names": ", ".join(allowed)}, field=name)
    if content["contact_email"]:
        try:
            validate_email(content["contact_email"])
        except ValidationError:
            raise AgentMalformed(_("Not an e-mail address."), field="contact_email") from None
    begins, ends = (_day(content, name) for name in ("contract_from", "contract_until"))
    if begins and ends and ends < begins:
        raise AgentMalformed(_("It ends before it begins."), field="contract_until")


def _require_place(content: Mapping[str, str], known: Agent | None) -> None:
    """Refuse a place in the chain that cannot be. Rule: AGT-3, AGT-4."""
    parent = agents.by_number(content["parent"])
    if parent is None:
        raise AgentMalformed(
            _("There is no agent %(number)s.") % {"number": content["parent"][:64]}, field="parent"
        )
    above = agents.chain(parent.pk)
    if known is not None and known.pk in {link.agent_id for link in above}:
        raise AgentMalformed(
            _("%(number)s would be above itself.") % {"number": known.number}, field="parent"
        )
    if parent.state == AgentState.STOPPED and content["state"] == AgentState.ACTIVE:
        raise AgentMalformed(
            _("%(number)s is stopped; nobody works for it.") % {"number": parent.number},
            field="parent",
        )
    if len(above) + 1 + (0 if known is None else agents.height(known.pk)) > MAX_LEVELS:
        raise AgentMalformed(
            _("More than %(most)s agents would stand above each other.") % {"most": MAX_LEVELS},
            field="parent",
        )


def _require_no_active_children(known: Agent) -> None:
    """Refuse to stop who has active agents below it. Rule: AGT-5."""
    active = Agent.objects.filter(parent=known, state=AgentState.ACTIVE).order_by("number")
    names = list(active.values_list("number", flat=True)[:6])
    if names:
        raise AgentMalformed(
            _("Active agents work for it: %(numbers)s. Put them elsewhere or stop them first.")
            % {"numbers": ", ".join(names[:5]) + (" …" if len(names) > 5 else "")},
            field="state",
        )


def lock_chain() -> None:
    """Let nobody else change the chain until the transaction ends."""
    sql.execute(_LOCK)


def _apply(approval: Approval, at: datetime) -> None:
    """Make the agent what was approved. Raises AgentChanged, AgentMalformed. Rule: AGT-2."""
    actor.stamp_transaction()
    lock_chain()
    content = {name: value for name, value in approval.after.items() if name != "step"}
    known = (
        Agent.objects.select_for_update(of=("self",))
        .select_related("parent")
        .filter(number=content["number"])
        .first()
    )
    before = {} if known is None else content_of(known)
    step = 1 if known is None else known.steps + 1
    if before != approval.before or approval.after["step"] != step:
        raise AgentChanged(
            _("Agent %(number)s is not as it was when this was proposed. Propose it again.")
            % {"number": content["number"]}
        )
    check(content, known)
    write(content, known, approval=approval, at=approval.closed_at or at)


def _apply_parents(approval: Approval, at: datetime) -> None:
    """Put the whole list below its new parent. Raises AgentChanged, AgentMalformed."""
    actor.stamp_transaction()
    lock_chain()
    parent = approval.after["parent"]
    for entry in approval.after["agents"]:
        number, _blank, move = entry.rpartition(" ")
        known = (
            Agent.objects.select_for_update(of=("self",))
            .select_related("parent")
            .get(number=number)
        )
        content = content_of(known)
        if move != f"{content['parent'] or '-'}→{parent or '-'}":
            raise AgentChanged(
                _("Agent %(number)s is not as it was when this was proposed. Propose it again.")
                % {"number": number}
            )
        content["parent"] = parent
        check(content, known)
        write(content, known, approval=approval, at=approval.closed_at or at)


def write(
    content: Mapping[str, str], known: Agent | None, *, approval: Approval | None, at: datetime
) -> Agent:
    """Write an agent with the step that says so; the database compares both with the approval."""
    parent = agents.by_number(content["parent"]) if content["parent"] else None
    values: dict[str, Any] = {
        name: content[name] for name in ("name", "kind", "contact_name", "contact_email", "state")
    }
    values |= {name: _day(content, name) for name in ("contract_from", "contract_until")}
    values["parent"] = parent
    who = actor.current()
    step = {
        "approval_book": None if approval is None else approval.merchant_id,
        "approval_id": None if approval is None else approval.id,
        "from_at": at,
        "actor": who.name,
        "request_id": who.request_id,
    }
    if known is None:
        made = Agent.objects.create(number=content["number"], created_at=at, **values)
        AgentStep.objects.create(agent=made, sequence=1, **step, **values)
        return made
    AgentStep.objects.create(agent=known, sequence=known.steps + 1, **step, **values)
    for name, value in values.items():
        setattr(known, name, value)
    known.steps += 1
    known.save(update_fields=[*values, "steps"])
    return known


def _found(numbers: list[str]) -> list[Agent]:
    """Return agents by number, in the order asked. Raises AgentMalformed for an unknown one."""
    found = {
        one.number: one
        for one in Agent.objects.select_related("parent").filter(
            number__in=[no for no in numbers if "\0" not in no]
        )
    }
    for no in numbers:
        if no not in found:
            raise AgentMalformed(
                _("There is no agent %(number)s.") % {"number": no[:64]}, field="agents"
            )
    return [found[no] for no in numbers]


def _empty(number: str) -> dict[str, str]:
    plain = dict.fromkeys(FIELDS, "")
    return {"number": number, **plain, "kind": AgentKind.AGENT, "state": AgentState.ACTIVE}


def _day(content: Mapping[str, str], name: str) -> date | None:
    text = content[name]
    if not text:
        return None
    try:
        if not re.fullmatch(r"(19[7-9]|20[0-9])[0-9]-[0-9]{2}-[0-9]{2}", text):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise AgentMalformed(_("Not a day: 2026-03-31 is one."), field=name) from None


def _subject(number: str, known: Agent | None) -> str:
    return f"agent:{number if known is None else known.pk}"


def _describe(approval: Approval) -> str:
    """Say a proposal in one sentence, in the reader's language."""
    before, after = approval.before, approval.after
    named = {"number": after["number"], "name": after["name"], "parent": after["parent"]}
    if not before:
        return _("Take on agent %(number)s %(name)s") % named
    if before["state"] != after["state"]:
        if after["state"] == AgentState.STOPPED:
            return _("Stop agent %(number)s %(name)s") % named
        return _("Let agent %(number)s %(name)s bring merchants again") % named
    if before["parent"] != after["parent"]:
        if not after["parent"]:
            return _("Let agent %(number)s %(name)s work for nobody else") % named
        return _("Put agent %(number)s %(name)s below %(parent)s") % named
    return _("Change agent %(number)s %(name)s") % named


def _describe_parents(approval: Approval) -> str:
    said = {"count": approval.after["count"], "parent": approval.after["parent"]}
    if not said["parent"]:
        return _("Let %(count)s agents work for nobody else") % said
    return _("Put %(count)s agents below %(parent)s") % said


def _page(approval: Approval) -> str:
    known = agents.by_number(approval.after["number"])
    if known is None:
        return reverse("admin:merchants_agent_changelist")
    return reverse("admin:merchants_agent_change", args=[known.pk])


ACTIONS: Final = (
    ApprovalAction(
        CHANGE,
        _apply,
        _describe,
        permission="merchants.approve_agent",
        title=gettext_lazy("Agent"),
        risk=Risk.MEDIUM,
        page=_page,
    ),
    ApprovalAction(
        PARENT,
        _apply_parents,
        _describe_parents,
        permission="merchants.approve_agent",
        title=gettext_lazy("Agents below another"),
        risk=Risk.HIGH,
    ),
)
