"""What is agreed with a channel: whom it registers for what, and who answers for what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels.models import Channel
from config.errors import DomainError, Malformed, NotFound
from foundation import actor
from foundation.models import Approval, User
from foundation.registries import ApprovalAction, Risk
from foundation.selectors.house import house_id
from foundation.services import approval as approvals
from foundation.services import audit
from foundation.services.attachment import NewAttachment
from merchants.models import ProductGate
from merchants.models.application import Bearer

TERMS: Final = "channels.terms"
LASTS: Final = timedelta(days=7)
_BEARERS: Final = ("reviewed_by_whom", "settled_by_whom", "loss_borne_by")


class TermsMalformed(Malformed):
    """What was asked for cannot be agreed, for the reason and in the field it names."""

    code = "channel_terms_malformed"

    @property
    def field(self) -> str:
        """Where the mistake is, so that the form says it there."""
        return str(self.details["field"])


class TermsStand(DomainError):
    """The channel has terms: they change by a proposal that another person decides."""

    code = "channel_terms_stand"


class TermsChanged(DomainError):
    """The terms are no longer as they were when the change was proposed."""

    code = "channel_terms_changed"


def agree(
    *,
    code: str,
    registers: Iterable[str],
    reviews: Bearer,
    settles: Bearer,
    bears_loss: Bearer,
) -> Channel:
    """
    Write down the first terms of a channel, audited: for which kinds of product it registers
    merchants, and who reviews, settles and bears the loss. The same again changes nothing; later
    ones are proposed.

    Raises: NotFound for an unknown channel or kind of product, TermsStand.
    Rule:   REG-6 (docs/rules/channel_registrations.md).
    """
    with transaction.atomic():
        actor.stamp_transaction()
        channel = _locked(code)
        before = terms(channel)
        after = _content(code, registers, reviews, settles, bears_loss)
        _require_known(after["registers"])
        if before == after:
            return channel
        if _has_terms(before):
            raise TermsStand(
                _("Channel %(code)s has terms already; another person decides on a change.")
                % {"code": code}
            )
        _write(channel, after)
        audit.record(
            merchant_id=house_id(),
            action="channel.terms",
            object_kind="channel",
            object_id=code,
            before=before,
            after=after,
        )
    return channel


def propose(
    *,
    code: str,
    registers: Iterable[str],
    reviews: str,
    settles: str,
    bears_loss: str,
    reason: str,
    maker: User,
    at: datetime,
    attachments: Iterable[NewAttachment] = (),
) -> Approval:
    """
    Propose the terms of a channel as they shall be; another person decides. All three bearers, or
    none of them and no product: then it registers nobody.

    Raises: NotFound, TermsMalformed, AlreadyProposed, AttachmentRefused. Rule: REG-6.
    """
    channel = Channel.objects.filter(code=code).first()
    if channel is None:
        raise NotFound(_("There is no channel %(code)s.") % {"code": code})
    after = _content(code, registers, reviews, settles, bears_loss)
    _require_sound(after)
    if terms(channel) == after:
        raise TermsMalformed(_("Nothing is different."), field="registers")
    return approvals.propose(
        action=TERMS,
        merchant_id=house_id(),
        subject=f"channel:{channel.pk}",
        before=terms(channel),
        after=after,
        money_effect=None,
        reason=reason,
        maker=maker,
        at=at,
        expires_at=at + LASTS,
        attachments=list(attachments),
    )


def terms(channel: Channel) -> dict[str, Any]:
    """Return what is agreed with a channel, as a proposal says it."""
    return _content(
        channel.code, channel.registers, *(str(getattr(channel, one)) for one in _BEARERS)
    )


def _content(
    code: str, registers: Iterable[str], reviews: str, settles: str, bears_loss: str
) -> dict[str, Any]:
    return {
        "code": code,
        "registers": sorted(set(registers)),
        "reviewed_by_whom": str(reviews),
        "settled_by_whom": str(settles),
        "loss_borne_by": str(bears_loss),
    }


def _require_sound(content: Mapping[str, Any]) -> None:
    given = [name for name in _BEARERS if content[name]]
    if content["registers"] or given:
        for name in _BEARERS:
            if content[name] not in Bearer.values:
                raise TermsMalformed(_("Say who. All three, or it registers nobody."), field=name)
    _require_known(content["registers"])


def _require_known(products: list[str]) -> None:
    known = set(ProductGate.objects.filter(code__in=products).values_list("code", flat=True))
    if set(products) - known:
        raise NotFound(
            _("There is no kind of product %(code)s.")
            % {"code": ", ".join(sorted(set(products) - known))}
        )


def _has_terms(content: Mapping[str, Any]) -> bool:
    return bool(content["registers"]) or any(content[name] for name in _BEARERS)


def _locked(code: str) -> Channel:
    channel = Channel.objects.select_for_update().filter(code=code).first()
    if channel is None:
        raise NotFound(_("There is no channel %(code)s.") % {"code": code})
    return channel


def _write(channel: Channel, content: Mapping[str, Any], approval_id: int | None = None) -> None:
    channel.registers = content["registers"]
    for name in _BEARERS:
        setattr(channel, name, content[name])
    channel.terms_approval_id = approval_id
    channel.save(update_fields=["registers", *_BEARERS, "terms_approval_id"])


def _apply(approval: Approval, at: datetime) -> None:
    """Put exactly the approved terms in force. Raises TermsChanged. The database compares again."""
    actor.stamp_transaction()
    channel = _locked(approval.after["code"])
    if terms(channel) != approval.before:
        raise TermsChanged(
            _("The terms of %(code)s have changed since this was proposed. Propose it again.")
            % {"code": channel.code}
        )
    _require_sound(approval.after)
    _write(channel, approval.after, approval.id)
    audit.record(
        merchant_id=house_id(),
        action="channel.terms",
        object_kind="channel",
        object_id=channel.code,
        before=approval.before,
        after=approval.after,
        note=approval.reason,
    )


def _describe(approval: Approval) -> str:
    words = {"channel": approval.after["code"]}
    if not approval.after["registers"]:
        return _("Register nobody with channel %(channel)s any more") % words
    return _("Change what is agreed with channel %(channel)s") % words


def _page(approval: Approval) -> str:
    key = approval.subject.partition(":")[2]
    return reverse("admin:channels_channel_change", args=[key])


ACTION: Final = ApprovalAction(
    TERMS,
    _apply,
    _describe,
    permission="channels.approve_channel",
    title=gettext_lazy("Terms of a channel"),
    risk=Risk.HIGH,
    page=_page,
)
