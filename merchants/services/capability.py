"""Taking acts from a merchant and giving them back: one proposes, another decides."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import DomainError, Malformed, NotFound
from foundation import actor, registries
from foundation.models import Approval, User
from foundation.registries import ApprovalAction, Risk
from foundation.services import approval as approvals
from foundation.services import audit
from foundation.services.attachment import NewAttachment
from merchants.models import Capability, CapabilityStep, Merchant
from merchants.selectors import capability as selectors

CHANGE: Final = "merchants.capability"
LASTS: Final = timedelta(days=7)
_WORDS: Final = {True: "ALLOWED", False: "TAKEN"}
_SAID: Final = {"ALLOWED": gettext_lazy("allowed"), "TAKEN": gettext_lazy("taken away")}


class CapabilityMalformed(Malformed):
    """What was asked for changes nothing, or its reason is missing or too long."""

    code = "capability_malformed"

    @property
    def field(self) -> str:
        """Where the mistake is, so that the form says it there."""
        return str(self.details["field"])


class CapabilityChanged(DomainError):
    """What the merchant may do is no longer what it was when this was proposed."""

    code = "capability_changed"


def propose(
    *,
    merchant_id: int,
    allowed: Collection[str],
    reason: str,
    maker: User,
    at: datetime,
    attachments: Sequence[NewAttachment] = (),
) -> Approval:
    """
    Propose that the merchant may do exactly what is in `allowed`; the difference is the proposal.

    `reason` is what the merchant reads. Raises: NotFound, CapabilityMalformed, AlreadyProposed,
    AttachmentRefused. Rule: CAP-1 (docs/rules/capabilities.md).
    """
    merchant = Merchant.objects.filter(id=merchant_id, kind=Merchant.Kind.MERCHANT).first()
    if merchant is None:
        raise NotFound(_("There is no such merchant."))
    reason = reason.strip()
    if not reason or len(reason) > 500:
        raise CapabilityMalformed(_("Say why, in at most 500 characters."), field="reason")
    now = {one.capability: one.allowed for one in selectors.standing(merchant_id=merchant_id)}
    changes = {one: one in allowed for one in Capability if (one in allowed) != now[one]}
    if not changes:
        raise CapabilityMalformed(
            _("It may do exactly this already: nothing would change."), field="allowed"
        )
    return approvals.propose(
        action=CHANGE,
        merchant_id=merchant_id,
        subject=f"capability:{merchant_id}",
        before={one.value: _WORDS[now[one]] for one in changes},
        after={one.value: _WORDS[may] for one, may in changes.items()},
        money_effect=None,
        reason=reason,
        maker=maker,
        at=at,
        expires_at=at + LASTS,
        attachments=attachments,
    )


def _apply(approval: Approval, at: datetime) -> None:
    """Write the steps in the deciding transaction. Raises CapabilityChanged. Rule: CAP-1, CAP-3."""
    actor.stamp_transaction()
    # In the order of whoever acts: the merchant's row first.
    merchant = Merchant.objects.select_for_update(no_key=True).get(id=approval.merchant_id)
    standing = {one.capability: one for one in selectors.standing(merchant_id=merchant.id)}
    changed = [one for one in standing if one.value in approval.after]
    if any(approval.before[one.value] != _WORDS[standing[one].allowed] for one in changed):
        raise CapabilityChanged(
            _("What this merchant may do was changed since this was proposed. Propose it again.")
        )
    by = actor.current()
    CapabilityStep.objects.bulk_create(
        CapabilityStep(
            merchant_id=merchant.id,
            capability=one,
            sequence=standing[one].sequence + 1,
            allowed=approval.after[one.value] == _WORDS[True],
            reason=approval.reason,
            approval_id=approval.id,
            at=approval.closed_at or at,
            actor=by.name,
            request_id=by.request_id,
        )
        for one in changed
    )
    audit.record(
        merchant_id=merchant.id,
        action="merchant.capability",
        object_kind="merchant",
        object_id=merchant.merchant_no,
        before=approval.before,
        after=approval.after,
    )
    taken = [one.value for one in changed if approval.after[one.value] == _WORDS[False]]
    registries.announce(
        "merchants.capability", merchant_ids=[merchant.id], payload={"at": at, "taken": taken}
    )


def describe(approval: Approval) -> str:
    """Say a proposal in one sentence, in the reader's language."""
    said = [
        _("%(what)s: %(becomes)s") % {"what": Capability(name).label, "becomes": _SAID[becomes]}
        for name, becomes in approval.after.items()
    ]
    return _("What merchant %(number)s may do: %(changes)s") % {
        "number": approval.merchant.merchant_no,
        "changes": _("; ").join(said),
    }


def says(approval: Approval) -> list[tuple[str, object, object]]:
    """Say what changes, in words."""
    return [
        (str(Capability(name).label), _SAID[approval.before[name]], _SAID[becomes])
        for name, becomes in approval.after.items()
    ]


def about(approval: Approval) -> str:
    """Name the merchant."""
    return str(approval.merchant)


def page(approval: Approval) -> str:
    """Return the merchant's page."""
    return reverse("admin:merchants_merchant_change", args=[approval.merchant_id])


ACTION: Final = ApprovalAction(
    CHANGE,
    _apply,
    describe,
    permission="merchants.approve_merchantstate",
    title=gettext_lazy("What a merchant may do"),
    risk=Risk.HIGH,
    page=page,
    about=about,
    says=says,
)
