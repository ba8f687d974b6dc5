"""Freezing, restricting, restoring, closing merchants: one proposes, others decide."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import DomainError, Malformed
from foundation import actor, registries, sql
from foundation.models import Approval, User
from foundation.registries import ApprovalAction, Risk
from foundation.selectors.house import house_id
from foundation.services import approval as approvals
from foundation.services.attachment import NewAttachment, Paper
from merchants.models import Merchant
from merchants.selectors import membership as memberships
from merchants.selectors import merchant_moves
from merchants.selectors import merchant_state as states
from merchants.selectors.merchant_state import Standing

Status = Merchant.Status
FREEZE: Final = "merchants.freeze"
RESTRICT: Final = "merchants.restrict"
RESTORE: Final = "merchants.restore"
CLOSE: Final = "merchants.close"  # it begins: what is left is settled and paid out
END: Final = "merchants.end"  # nothing is left; settlement says whether that is so
EMERGENCY: Final = "merchants.emergency"  # frozen by one person before another decides
EVENTS: Final = {  # lifecycle events: what happened to `merchant_ids`
    FREEZE: "merchants.frozen",
    RESTRICT: "merchants.restricted",
    RESTORE: "merchants.restored",
    CLOSE: "merchants.closing",
    END: "merchants.closed",
    EMERGENCY: "merchants.frozen",
}
ENDING: Final = "merchants.ending"  # announced before END moves: listeners may refuse
MOST: Final = 5_000  # merchants of one list
MAX_DOCUMENT: Final = 200
LASTS: Final = timedelta(days=7)
_NAMED: Final = 50  # merchants that a refusal names: who has to take them out wants them all


class MoveMalformed(Malformed):
    """What was asked for has the wrong shape, in the field it names."""

    @property
    def field(self) -> str:
        """Where the mistake is, so that the form says it there."""
        return str(self.details["field"])


class ListRefused(MoveMalformed):
    """The list names no merchant, too many, unknown ones, or some that cannot make this move."""

    code = "merchant_list_refused"


class DocumentMissing(MoveMalformed):
    """Reason and document are needed, and not longer than their columns."""

    code = "merchant_document_missing"


class StateChanged(DomainError):
    """A merchant of the list is no longer where it was when the move was proposed."""

    code = "merchant_state_changed"


def propose(
    *,
    action: str,
    merchant_nos: Iterable[str],
    reason: str,
    document: str,
    maker: User,
    at: datetime,
    attachments: Sequence[NewAttachment] = (),
) -> Approval:
    """
    Propose one move for one merchant or a list; the list, with where each stands and goes, is
    frozen in the proposal. `reason` is what the merchants will read.

    Raises: ListRefused, DocumentMissing, AlreadyProposed, AttachmentRefused.
    Rule:   MST-1, MST-2 (docs/rules/merchant_states.md).
    """
    reason, document = worded(reason, document)
    found = states.standing(merchant_nos=listed(merchant_nos))
    return freeze_list(
        action=action,
        moves=planned(action, merchant_nos, found),
        reason=reason,
        document=document,
        maker=maker,
        at=at,
        expires_at=at + LASTS,
        attachments=attachments,
    )


def worded(reason: str, document: str) -> tuple[str, str]:
    """Return reason and document without blanks around them. Raises DocumentMissing."""
    reason, document = reason.strip(), document.strip()
    if not reason or len(reason) > 500:
        raise DocumentMissing(_("Say why, in at most 500 characters."), field="reason")
    if not document or len(document) > MAX_DOCUMENT:
        raise DocumentMissing(
            _("Name the document that orders it, in at most %(most)s characters.")
            % {"most": MAX_DOCUMENT},
            field="document",
        )
    return reason, document


def freeze_list(
    *,
    action: str,
    moves: Sequence[tuple[Standing, str]],
    reason: str,
    document: str,
    maker: User,
    at: datetime,
    expires_at: datetime,
    attachments: Sequence[NewAttachment | Paper] = (),
) -> Approval:
    """Make the proposal that holds a list of moves, word for word, in whose book it belongs."""
    entries = [entry(one, to) for one, to in moves]
    digest = hashlib.sha256("\n".join(entries).encode()).hexdigest()
    single = len(moves) == 1
    ids = moves[0][0].merchant_id if single else house_id()
    return approvals.propose(
        action=action,
        merchant_id=ids,
        subject=f"merchant:{ids}" if single else f"merchants:{digest[:32]}",
        before={"status": _counted(one.status for one, _to in moves)},
        after={
            "status": _counted(to for _one, to in moves),
            "document": document,
            "count": len(moves),
            "list_sha256": digest,
            "merchants": entries,
        },
        money_effect=None,
        reason=reason,
        maker=maker,
        at=at,
        expires_at=expires_at,
        attachments=attachments,
    )


def entry(one: Standing, to: str) -> str:
    """Return how a proposal says one merchant's move; the database reads the same words."""
    return f"{one.merchant_no} {one.status}→{to}"


def goal(action: str, one: Standing) -> str | None:
    """Return where an action takes a merchant from where it stands; None where it cannot."""
    match action, one.status:
        case (
            "merchants.freeze" | "merchants.emergency",
            Status.ACTIVE | Status.RESTRICTED | Status.CLOSING,
        ):
            return Status.FROZEN.value
        case ("merchants.restrict", Status.ACTIVE):
            return Status.RESTRICTED.value
        case ("merchants.restore", Status.FROZEN | Status.RESTRICTED | Status.CLOSING):
            return None if one.unconfirmed else one.former
        case ("merchants.close", Status.ACTIVE | Status.CLOSED):
            return Status.CLOSING.value
        case ("merchants.end", Status.CLOSING):
            return Status.CLOSED.value
        case _:
            return None


def listed(merchant_nos: Iterable[str], *, most: int = MOST) -> list[str]:
    """Return the numbers of a list, each once. Raises ListRefused: none, or too many."""
    asked = list(dict.fromkeys(no.strip() for no in merchant_nos if no.strip()))
    if not asked:
        raise ListRefused(_("Name at least one merchant."), field="merchants")
    if len(asked) > most:
        raise ListRefused(
            _("At most %(most)s merchants in one list.") % {"most": most}, field="merchants"
        )
    return asked


def planned(
    action: str, merchant_nos: Iterable[str], standing: Iterable[Standing]
) -> list[tuple[Standing, str]]:
    """Return every merchant of the list with its goal. Raises ListRefused, naming the first bad."""
    asked = listed(merchant_nos)
    found = {one.merchant_no: one for one in standing}
    unknown = [no for no in asked if no not in found]
    if unknown:
        raise ListRefused(
            _("Unknown merchants: %(numbers)s") % {"numbers": _named(unknown)}, field="merchants"
        )
    moves, stuck = [], []
    for no in asked:
        to = goal(action, found[no])
        if to is None:
            why = str(Status(found[no].status).label)
            if found[no].unconfirmed and action == RESTORE:
                why = _("its emergency freeze waits for a decision")
            stuck.append(f"{no} ({why})")
        else:
            moves.append((found[no], to))
    if stuck:
        raise ListRefused(
            _("Cannot be done with these, as they stand: %(numbers)s") % {"numbers": _named(stuck)},
            field="merchants",
        )
    return moves


def _named(all_of_them: Sequence[str]) -> str:
    """Name the first few and say how many more there are."""
    shown = ", ".join(one[:80] for one in all_of_them[:_NAMED])
    more = len(all_of_them) - _NAMED
    if more <= 0:
        return shown
    return shown + " " + _("and %(more)s more") % {"more": more}


def _counted(statuses: Iterable[str]) -> str:
    """Say statuses with their numbers: `ACTIVE 990, RESTRICTED 10`; of one merchant the status."""
    counts = Counter(statuses)
    if sum(counts.values()) == 1:
        return next(iter(counts))
    return ", ".join(f"{status} {many}" for status, many in sorted(counts.items()))


def _apply(approval: Approval, at: datetime) -> None:
    """Move the whole list in the deciding transaction. Raises StateChanged. Rule: MST-3."""
    actor.stamp_transaction()
    wanted = dict(line.rsplit(" ", 1) for line in approval.after["merchants"])
    locked = states.standing(merchant_nos=list(wanted), lock=True)
    moved = [one.merchant_no for one in locked if _changed(approval.action, one, wanted)]
    if moved or len(locked) != len(wanted):
        raise StateChanged(
            _("Not where they were when this was proposed: %(numbers)s. Propose it again.")
            % {"numbers": _named(moved)}
        )
    if approval.action == END:  # whoever knows of something that is left refuses
        registries.announce(
            ENDING, merchant_ids=[one.merchant_id for one in locked], payload={"at": at}
        )
    goals = {one.merchant_id: wanted[one.merchant_no].split("→")[1] for one in locked}
    move(approval, goals, reason=approval.reason, event=EVENTS[approval.action], at=at)


def move(
    approval: Approval, goals: Mapping[int, str], *, reason: str, event: str, at: datetime
) -> None:
    """Move locked merchants to their goals, each with its line, and announce it (MST-1, MST-4)."""
    by = actor.current()
    ids = list(goals)
    sql.execute(
        sql.load("merchants", "merchant_state_steps"),
        {
            "merchants": ids,
            "goals": list(goals.values()),
            "reason": reason,
            "document": approval.after["document"],
            "book": approval.merchant_id,
            "approval": approval.id,
            "at": approval.closed_at or approval.proposed_at,
            "actor": by.name,
            "request_id": by.request_id,
        },
    )
    sql.execute(
        sql.load("merchants", "merchant_state_move"),
        {"book": approval.merchant_id, "approval": approval.id, "merchants": ids},
    )
    payload = {"at": at, "book": approval.merchant_id, "approval_id": approval.id}
    registries.announce(event, merchant_ids=ids, payload=payload)


def _changed(action: str, one: Standing, wanted: dict[str, str]) -> bool:
    return wanted[one.merchant_no] != f"{one.status}→{goal(action, one)}"


def describe(approval: Approval) -> str:
    """Say a proposal in one sentence, in the reader's language."""
    count = approval.after["count"]
    if count == 1:
        said = {
            FREEZE: _("Freeze merchant %(number)s"),
            RESTRICT: _("Restrict merchant %(number)s"),
            RESTORE: _("Restore merchant %(number)s"),
            CLOSE: _("Begin to close merchant %(number)s"),
            END: _("Close merchant %(number)s for good"),
            EMERGENCY: _("Confirm the emergency freeze of merchant %(number)s"),
        }
        return said[approval.action] % {"number": approval.after["merchants"][0].split(" ")[0]}
    many = {
        FREEZE: _("Freeze %(count)s merchants"),
        RESTRICT: _("Restrict %(count)s merchants"),
        RESTORE: _("Restore %(count)s merchants"),
        CLOSE: _("Begin to close %(count)s merchants"),
        END: _("Close %(count)s merchants for good"),
        EMERGENCY: _("Confirm the emergency freeze of %(count)s merchants"),
    }
    return many[approval.action] % {"count": count}


def gains(approval: Approval) -> frozenset[str]:
    """Return who acts for a merchant of the list; the list itself lies in the house's book."""
    numbers = [line.rsplit(" ", 1)[0] for line in approval.after["merchants"]]
    found = Merchant.objects.filter(merchant_no__in=numbers)
    return memberships.insiders(found.values_list("id", flat=True))


def page(approval: Approval) -> str:
    """Return the merchant's page, or that of the list in the proposal."""
    if approval.after["count"] == 1:
        return reverse("admin:merchants_merchant_change", args=[approval.merchant_id])
    return reverse("admin:merchants_merchant_moves", args=[approval.id])


def _action(name: str, title: str | Promise, risk: Risk) -> ApprovalAction:
    return ApprovalAction(
        name,
        _apply,
        describe,
        permission="merchants.approve_merchantstate",
        title=title,
        risk=risk,
        gains=gains,
        page=page,
        about=merchant_moves.about,
        says=merchant_moves.says,
    )


ACTIONS: Final = (
    _action(FREEZE, gettext_lazy("Freeze merchants"), Risk.HIGH),
    _action(RESTRICT, gettext_lazy("Restrict merchants"), Risk.MEDIUM),
    _action(RESTORE, gettext_lazy("Restore merchants"), Risk.HIGH),
    _action(CLOSE, gettext_lazy("Begin to close merchants"), Risk.HIGH),
    _action(END, gettext_lazy("Close merchants for good"), Risk.HIGH),
)
