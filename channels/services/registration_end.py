"""How a registration ends: withdrawn before its answer, by the channel, by us, with closing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from channels.models import Registration
from channels.models.registration import MAX_TEXT, State
from channels.services import registration as registrations
from channels.services.registration import IllegalStep
from config.errors import DomainError
from foundation.models import Approval, User
from foundation.registries import ApprovalAction, Risk
from foundation.services import approval as approvals
from foundation.services.attachment import NewAttachment
from merchants.models import Merchant

END: Final = "channels.registration_end"
LASTS: Final = timedelta(days=7)
Ended = Registration.Ended


class EndNeedsTwo(DomainError):
    """We end it while its merchant goes on: that is proposed, and another person decides."""

    code = "registration_end_needs_two"


def withdraw(
    *, merchant_id: int, registration_id: int, reason: str, by: User, at: datetime
) -> Registration:
    """
    Take back what the channel has not decided on; it may be asked for anew.

    Raises: NotFound, AnswerMalformed, IllegalStep. Rule: REG-9.
    """
    reason = registrations.sized(reason, 1, MAX_TEXT, _("the reason"))
    with transaction.atomic():
        found = registrations.locked(merchant_id, registration_id)
        if (found.state, found.end_reason) == (State.WITHDRAWN, reason):
            return found
        if found.state not in (State.REQUESTED, State.SUBMITTED):
            raise registrations.illegal(found, State.WITHDRAWN)
        return registrations.move(
            found, State.WITHDRAWN, by=by, at=at, text=reason, ended_at=at, end_reason=reason
        )


def ended_by_channel(
    *, merchant_id: int, registration_id: int, text: str, by: User, at: datetime
) -> Registration:
    """
    Write down that the channel ended it, in the channel's words: a fact, which needs nobody's yes.

    Raises: NotFound, AnswerMalformed, IllegalStep. Rule: REG-10.
    """
    text = registrations.sized(text, 1, MAX_TEXT, _("the channel's text"))
    with transaction.atomic():
        found = registrations.locked(merchant_id, registration_id)
        if (found.ended_how, found.end_reason) == (Ended.CHANNEL, text):
            return found
        return _end(found, Ended.CHANNEL, text, by=by, at=at)


def end_with_closing(
    *, merchant_id: int, registration_id: int, reason: str, by: User, at: datetime
) -> Registration:
    """
    End it because its merchant leaves, once the channel was told: that the merchant is closed, two
    persons have decided already.

    Raises: NotFound, AnswerMalformed, EndNeedsTwo, IllegalStep. Rule: REG-10, REG-12.
    """
    reason = registrations.sized(reason, 1, MAX_TEXT, _("the reason"))
    with transaction.atomic():
        merchant = registrations.locked_merchant(merchant_id)
        if merchant.status != Merchant.Status.CLOSING:
            raise EndNeedsTwo(
                _("Merchant %(merchant)s is not being closed: propose the end of the registration.")
                % {"merchant": merchant}
            )
        found = registrations.locked(merchant_id, registration_id)
        return _end(found, Ended.CLOSING, reason, by=by, at=at)


def propose_end(
    *,
    merchant_id: int,
    registration_id: int,
    reason: str,
    maker: User,
    at: datetime,
    attachments: Iterable[NewAttachment] = (),
) -> Approval:
    """
    Propose that we end an approved registration; another person decides.

    Raises: NotFound, AnswerMalformed, IllegalStep, AlreadyProposed, AttachmentRefused.
    Rule:   REG-10.
    """
    reason = registrations.sized(reason, 1, MAX_TEXT, _("the reason"))
    with transaction.atomic():
        found = registrations.locked(merchant_id, registration_id)
        if found.state != State.APPROVED:
            raise registrations.illegal(found, State.ENDED)
        return approvals.propose(
            action=END,
            merchant_id=merchant_id,
            subject=f"registration:{found.pk}",
            before={"state": State.APPROVED.value},
            after={
                "registration": found.pk,
                "merchant_no": found.merchant.merchant_no,
                "channel": found.channel.code,
                "product": found.product_id,
                "channel_merchant_no": found.channel_merchant_no,
                "state": State.ENDED.value,
            },
            money_effect=None,
            reason=reason,
            maker=maker,
            at=at,
            expires_at=at + LASTS,
            attachments=list(attachments),
        )


def on_merchants_closing(
    *, event: str, merchant_ids: Sequence[int], payload: Mapping[str, Any]
) -> None:
    """
    Withdraw what was asked for and never sent, when the closing of merchants begins: no channel
    knows of it. What channels know of, somebody must tell them, and stands against the last step.
    Rule: REG-12.
    """
    if event != "merchants.closing":
        return
    waiting = Registration.objects.filter(merchant_id__in=merchant_ids, state=State.REQUESTED)
    keys = list(waiting.order_by("id").values_list("merchant_id", "id"))
    if not keys:
        return
    closing = Approval.objects.select_related("maker").get(
        merchant_id=payload["book"], id=payload["approval_id"]
    )
    for merchant_id, key in keys:
        withdraw(
            merchant_id=merchant_id,
            registration_id=key,
            reason=" ".join(closing.reason.split()),
            by=closing.maker,
            at=payload["at"],
        )


def _end(
    found: Registration,
    how: Registration.Ended,
    reason: str,
    *,
    by: User,
    at: datetime,
    approval_id: int | None = None,
) -> Registration:
    if found.state != State.APPROVED:
        raise registrations.illegal(found, State.ENDED)
    return registrations.move(
        found, State.ENDED, by=by, at=at, text=reason, ended_at=at, ended_how=how,
        end_reason=reason, end_approval_id=approval_id,
    )  # fmt: skip


def _apply(approval: Approval, at: datetime) -> None:
    """End it as it was approved. Raises IllegalStep when it has ended meanwhile."""
    found = registrations.locked(approval.merchant_id, approval.after["registration"])
    if found.channel_merchant_no != approval.after["channel_merchant_no"]:
        raise IllegalStep(_("The registration is not what was proposed."))
    _end(
        found, Ended.HOUSE, approval.reason, by=approval.maker, at=approval.closed_at or at,
        approval_id=approval.id,
    )  # fmt: skip


def _describe(approval: Approval) -> str:
    said = pgettext("registration", "End the registration of %(merchant)s with %(channel)s")
    return said % {
        "merchant": approval.after["merchant_no"],
        "channel": f"{approval.after['channel']} · {approval.after['product']}",
    }


def _page(approval: Approval) -> str:
    return reverse("admin:channels_registration_change", args=[approval.after["registration"]])


ACTION: Final = ApprovalAction(
    END,
    _apply,
    _describe,
    permission="channels.approve_registration",
    title=gettext_lazy("End of a registration with a channel"),
    risk=Risk.MEDIUM,
    page=_page,
)
