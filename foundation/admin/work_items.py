"""Foundation's queues on the overview. Each is one bounded statement over a partial index."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count, Min, Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from foundation import clock, registries
from foundation.models import Approval, OutboxMessage, User
from foundation.money import Money
from foundation.registries import WorkItem
from foundation.selectors import delegation as delegations
from foundation.selectors import outbox as messages


def approvals(user: User) -> Iterable[WorkItem]:
    """Proposals that this person may decide on, with the money they would move."""
    open_ones = Approval.objects.filter(
        state=Approval.State.PROPOSED, action__in=decidable(user)
    ).exclude(maker_person=user.person_id)
    open_ones = open_ones.exclude(decisions__checker_person=user.person_id)
    rows = open_ones.values("effect_currency").annotate(
        many=Count("id"), oldest=Min("proposed_at"), minor=Sum("effect_minor")
    )
    found = list(rows.order_by("effect_currency"))
    if found:
        yield WorkItem(
            title=_("Proposals wait for your decision"),
            count=sum(row["many"] for row in found),
            oldest_at=min(row["oldest"] for row in found),
            at_stake=tuple(
                Money(int(row["minor"]), row["effect_currency"])
                for row in found
                if row["effect_currency"]
            ),
            url=reverse("admin:foundation_approval_changelist") + "?state=mine",
            permission="foundation.view_approval",
        )


def decidable(user: User) -> list[str]:
    """
    Return the kinds of proposals on which somebody may decide, if another person made them: by a
    right of his own or one that is lent to him now.
    """
    kinds = registries.approval_actions.items()
    rights = {action.permission for _name, action in kinds if action.permission}
    held = {right for right in rights if user.has_perm(right)}
    if held != rights:
        lent = delegations.lent(to=user, permissions=rights - held, at=clock.now())
        held |= {one.permission for one in lent}
    return [name for name, action in kinds if not action.permission or action.permission in held]


def outbox(user: User) -> Iterable[WorkItem]:
    """Messages that failed too often and wait for a person."""
    parked = OutboxMessage.objects.filter(state=OutboxMessage.State.PARKED)
    found = parked.aggregate(many=Count("id"), oldest=Min("created_at"))
    if found["many"]:
        yield WorkItem(
            title=_("Messages are parked"),
            count=found["many"],
            oldest_at=found["oldest"],
            at_stake=(),
            url=reverse("admin:foundation_outboxmessage_changelist") + "?state=parked",
            permission="foundation.view_outboxmessage",
        )


def failing(user: User) -> Iterable[WorkItem]:
    """Messages that are tried again and again: a payout may wait behind one for an hour (OB-9)."""
    found = messages.failing()
    if found:
        named = list(found.errors.items())[:3]
        yield WorkItem(
            title=_("Messages keep failing"),
            count=found.count,
            oldest_at=found.oldest_at,
            at_stake=(),
            url=reverse("admin:foundation_outboxmessage_changelist") + "?state=failing",
            permission="foundation.view_outboxmessage",
            note=", ".join(f"{error or _('never confirmed')} ({many})" for error, many in named),
        )
