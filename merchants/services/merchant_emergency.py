"""Freezing at once on one person's word, which another person confirms or takes back (MST-11)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import DomainError, Forbidden
from foundation import actor, sql
from foundation.models import Approval, User
from foundation.registries import ApprovalAction, Risk
from foundation.services import attachment as attached
from foundation.services.attachment import NewAttachment
from merchants.models import Merchant, MerchantTransition
from merchants.selectors import membership as memberships
from merchants.selectors import merchant_moves
from merchants.selectors import merchant_state as selectors
from merchants.services import merchant_state as states

CONFIRM_WITHIN: Final = timedelta(hours=24)
MOST: Final = 50  # merchants that one person freezes alone; merchant_emergency.sql says the same
RIGHT: Final = "merchants.freeze_at_once"
# It never ends by itself: what nobody decided on stays frozen, and late.
_LASTS: Final = timedelta(days=3650)


class FreezeInsider(Forbidden):
    """Who acts or acted for a merchant does not freeze it alone."""

    code = "merchant_emergency_insider"


class LimitReached(DomainError):
    """One person has frozen as many merchants as one person may without others."""

    code = "merchant_emergency_limit"


def freeze(
    *,
    merchant_nos: Iterable[str],
    reason: str,
    case: str,
    maker: User,
    at: datetime,
    attachments: Sequence[NewAttachment] = (),
) -> Approval:
    """
    Freeze one merchant or a list now; return the proposal on which another person decides.

    `reason` is what the merchants read, `case` what orders it. Raises ListRefused, DocumentMissing,
    FreezeInsider, LimitReached, AttachmentRefused. Rule: MST-11 (docs/rules/merchant_states.md).
    """
    reason, case = states.worded(reason, case)
    asked = states.listed(merchant_nos, most=MOST)
    papers = attached.accept(attachments)  # looked through before anything is locked
    with transaction.atomic(durable=True):
        actor.stamp_transaction()
        locked = selectors.standing(merchant_nos=asked, lock=True)
        moves = states.planned(states.EMERGENCY, asked, locked)
        ids = [one.merchant_id for one, _to in moves]
        if str(maker.person_id) in memberships.insiders(ids):
            raise FreezeInsider(_("You act or acted for a merchant of this list."))
        used = _used(maker, at)
        if used + len(moves) > MOST:
            raise LimitReached(
                _(
                    "One person freezes at most %(most)s merchants in 24 hours, and as many as"
                    " wait for a decision; you have %(left)s left. Propose the others."
                )
                % {"most": MOST, "left": max(MOST - used, 0)}
            )
        approval = states.freeze_list(
            action=states.EMERGENCY,
            moves=moves,
            reason=reason,
            document=case,
            maker=maker,
            at=at,
            expires_at=at + _LASTS,
            attachments=papers,
        )
        goals = {one.merchant_id: to for one, to in moves}
        states.move(approval, goals, reason=reason, event="merchants.frozen", at=at)
    return approval


def confirm_by(approval: Approval) -> datetime:
    """Return until when another person should have decided."""
    return approval.proposed_at + CONFIRM_WITHIN


def _used(maker: User, at: datetime) -> int:
    """Lock the person and count what he froze: two lists of his come one after the other."""
    (row,) = sql.rows(
        "WITH person AS MATERIALIZED ("
        " SELECT p.id FROM foundation_person p WHERE p.id = %s FOR NO KEY UPDATE)"
        " SELECT id FROM person",
        [maker.person_id],
    )
    found = sql.rows("SELECT merchants_emergency_used(%s, %s) AS used", [row["id"], at])
    return int(found[0]["used"])


def _confirmed(approval: Approval, at: datetime) -> None:
    """Leave them frozen: from now on as any other freeze, which two persons restore."""


def _refused(approval: Approval, at: datetime) -> None:
    """
    Take back what is still this proposal's own last move; who was moved since then stays.

    Only a rejection comes here: the database lets such a proposal end in no other way.
    """
    actor.stamp_transaction()
    numbers = [line.rsplit(" ", 1)[0] for line in approval.after["merchants"]]
    locked = selectors.standing(merchant_nos=numbers, lock=True)
    still = set(
        MerchantTransition.objects.filter(
            merchant_id__in=[one.merchant_id for one in locked],
            approval_book=approval.merchant_id,
            approval_id=approval.id,
            sequence=F("merchant__status_sequence"),
        ).values_list("merchant_id", flat=True)
    )
    goals = {
        one.merchant_id: one.former
        for one in locked
        if one.merchant_id in still and one.status == Merchant.Status.FROZEN and one.former
    }
    if goals:
        said = approval.decisions.filter(approves=False).values_list("reason", flat=True)
        states.move(approval, goals, reason=said[0], event="merchants.restored", at=at)


ACTION: Final = ApprovalAction(
    states.EMERGENCY,
    _confirmed,
    states.describe,
    _refused,
    permission="merchants.approve_merchantstate",
    title=gettext_lazy("Emergency freeze"),
    risk=Risk.HIGH,
    gains=states.gains,
    page=states.page,
    about=merchant_moves.about,
    says=merchant_moves.says,
    withdrawable=False,
    due=confirm_by,
)
