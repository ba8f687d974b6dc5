"""Which channel pays, its adapter, and the reviewed map of its codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels.adapters.base import Adapter, Kind
from channels.adapters.simulator import Simulator
from config.errors import DomainError, NotFound
from foundation import actor
from foundation.models import Approval, User
from foundation.registries import ApprovalAction, Risk
from foundation.services import approval as approvals
from merchants.services import house
from settlement.models import PayoutChannel, PayoutStatus

CHANGE_STATUS: Final = "settlement.payout_status"


class NoChannel(DomainError):
    """No channel is switched on for this currency."""

    code = "no_payout_channel"


class ChannelNotConfigured(DomainError):
    """The channel's address or keys are missing on this machine: nothing can be sent or asked."""

    code = "payout_channel_not_configured"
    http_status = 503


def channel_for(currency: str) -> PayoutChannel:
    """Return the channel that pays this currency. Raises NoChannel. Rule: PO-1."""
    found = (
        PayoutChannel.objects.filter(Q(currencies=[]) | Q(currencies__contains=[currency]))
        .filter(enabled=True)
        .order_by("rank", "code")
        .first()
    )
    if found is None:
        raise NoChannel(_("No channel pays out %(currency)s.") % {"currency": currency})
    return found


def find(code: str) -> PayoutChannel:
    """Return the channel of that code. Raises NotFound."""
    channel = PayoutChannel.objects.filter(code=code).first()
    if channel is None:
        raise NotFound(_("There is no such channel."))
    return channel


def adapter_for(channel: PayoutChannel) -> Adapter:
    """Return the adapter of a channel, with its map. Raises ChannelNotConfigured."""
    return _ADAPTERS[channel.adapter](meanings(channel))


def meanings(channel: PayoutChannel) -> dict[str, Kind]:
    """Return the map in force: of each code the highest version (PO-2)."""
    rows = PayoutStatus.objects.filter(channel=channel).order_by("version")
    return {row.code: Kind(row.meaning) for row in rows}


def propose_status(
    *,
    channel: PayoutChannel,
    code: str,
    meaning: PayoutStatus.Meaning,
    reason: str,
    maker: User,
    at: datetime,
    expires_at: datetime,
) -> Approval:
    """Propose what a code means from now on; another person decides. Rule: PO-2."""
    before = meanings(channel).get(code, Kind.UNKNOWN)
    return approvals.propose(
        action=CHANGE_STATUS,
        merchant_id=house.house().id,
        subject=f"{channel.code}:{code}",
        before={"meaning": str(before)},
        after={"channel": channel.code, "code": code, "meaning": str(meaning)},
        money_effect=None,
        reason=reason,
        maker=maker,
        at=at,
        expires_at=expires_at,
    )


def _apply_status(approval: Approval, at: datetime) -> None:
    channel, code = find(approval.after["channel"]), approval.after["code"]
    version = PayoutStatus.objects.filter(channel=channel, code=code).count() + 1
    PayoutStatus.objects.create(
        channel=channel,
        code=code,
        version=max(version, 2),  # only what came with the product is version 1
        meaning=approval.after["meaning"],
        note=approval.reason[:200],
        approval_id=approval.id,
        created_at=at,
        actor=actor.current().name,
    )


def _describe_status(approval: Approval) -> str:
    return _("%(subject)s means %(meaning)s") % {
        "subject": approval.subject,
        "meaning": PayoutStatus.Meaning(approval.after["meaning"]).label,
    }


def _says_status(approval: Approval) -> list[tuple[str, object, object]]:
    """Say what a code meant and shall mean; the code itself is the channel's."""
    before, after = (
        PayoutStatus.Meaning(told["meaning"]).label for told in (approval.before, approval.after)
    )
    named = ((_("channel"), "channel"), (_("code"), "code"))
    return [(_("meaning"), before, after)] + [
        (title, None, approval.after[key]) for title, key in named
    ]


STATUS_ACTION: Final = ApprovalAction(
    CHANGE_STATUS,
    _apply_status,
    _describe_status,
    permission="settlement.approve_payoutstatus",
    title=gettext_lazy("Meaning of a channel's code"),
    says=_says_status,
    risk=Risk.HIGH,
)


def _simulator(meanings: Mapping[str, Kind]) -> Adapter:
    config: dict[str, Any] = settings.CHANNEL_SIMULATOR
    if not config["base_url"] or not config["secret"]:
        raise ChannelNotConfigured(_("CHANNEL_SIMULATOR_URL or its secret is not set."))
    return Simulator(config=config, meanings=meanings)


_ADAPTERS: Final[Mapping[str, Callable[[Mapping[str, Kind]], Adapter]]] = {
    "simulator": _simulator,
}
