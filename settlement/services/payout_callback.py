"""Callbacks of channels: kept first, believed afterwards (PO-10)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from channels.adapters.base import CallbackRefused
from config.errors import DomainError
from merchants.models import Merchant
from merchants.services import house
from settlement.models import PayoutAttempt, PayoutCallback, PayoutCase, PayoutChannel
from settlement.models.payout import PayoutEvidence
from settlement.services import payout_case as cases
from settlement.services import payout_channel as channels
from settlement.services.payout_result import apply_result

MAX_BYTES: Final = 65_536
_KEPT_HEADERS: Final = re.compile(r"(x-|content-|user-agent|date|signature)", re.IGNORECASE)
_ROUTED: Final = re.compile(r"W[0-9]{4}([0-9]{7,17})-[0-9]{6,18}-[0-9]{1,4}")


class CallbackTooLarge(DomainError):
    """No callback of ours is that long."""

    code = "callback_too_large"
    http_status = 413


def receive(*, channel_code: str, headers: Mapping[str, str], raw: bytes, at: datetime) -> str:
    """
    Take a callback in and return the channel's success word, after its effect is committed.

    News about an order nobody knows become a case and are answered with the success word too;
    nothing here ever makes an attempt. Raises: NotFound (channel), CallbackTooLarge,
    CallbackRefused, ChannelNotConfigured. Rule: PO-10 (docs/rules/payouts.md).
    """
    if len(raw) > MAX_BYTES:
        raise CallbackTooLarge(_("The callback is too large."))
    channel = channels.find(channel_code)
    adapter = channels.adapter_for(channel)
    claimed = adapter.order_no_of(raw)
    _keep(channel, claimed, headers, raw)
    try:
        evidence = adapter.verify_callback(headers=headers, raw=raw, at=at)
    except CallbackRefused as refusal:
        _refused(channel, claimed, str(refusal), at)
        raise
    attempt = _attempt(channel, evidence.order_no)
    if attempt is None:
        detail = f"{evidence.kind} {evidence.code} {evidence.amount}"
        _open(channel, PayoutCase.Kind.UNKNOWN_ORDER, evidence.order_no, detail, at)
        return adapter.success_word
    apply_result(
        merchant_id=attempt.merchant_id,
        attempt_id=attempt.id,
        source=PayoutEvidence.Source.CALLBACK,
        evidence=evidence,
        at=at,
    )
    return adapter.success_word


def book_of(order_no: str) -> int | None:
    """Return the merchant whose book an order number leads to, None if it leads nowhere."""
    routed = _ROUTED.fullmatch(order_no)
    if routed is None:
        return None
    merchant_id = int(routed[1])
    return merchant_id if Merchant.objects.filter(id=merchant_id).exists() else None


def _attempt(channel: PayoutChannel, order_no: str) -> PayoutAttempt | None:
    merchant_id = book_of(order_no)
    if merchant_id is None:
        return None
    return PayoutAttempt.objects.filter(
        merchant_id=merchant_id, number=order_no, channel=channel
    ).first()


def _keep(channel: PayoutChannel, order_no: str, headers: Mapping[str, str], raw: bytes) -> None:
    """Store bytes and headers, once, before anything is believed; in its own transaction."""
    kept = {
        name.lower(): value[:500] for name, value in headers.items() if _KEPT_HEADERS.match(name)
    }
    signed = "\n".join(f"{name}:{kept[name]}" for name in sorted(kept) if name.startswith("x-"))
    with transaction.atomic(durable=True):
        PayoutCallback.objects.bulk_create(
            [
                PayoutCallback(
                    merchant_id=book_of(order_no) or house.house().id,
                    channel=channel,
                    order_no=order_no,
                    headers=kept,
                    raw=raw,
                    digest=hashlib.sha256(signed.encode() + b"\n\n" + raw).hexdigest(),
                )
            ],
            ignore_conflicts=True,
        )


def _refused(channel: PayoutChannel, order_no: str, why: str, at: datetime) -> None:
    """One open case per channel, however many forgeries come; each of them is kept as it came."""
    detail = f"{order_no}: {why}" if order_no else why
    _open(channel, PayoutCase.Kind.BAD_CALLBACK, channel.code, detail, at)


def _open(
    channel: PayoutChannel, kind: PayoutCase.Kind, subject: str, detail: str, at: datetime
) -> None:
    cases.open_case(
        merchant_id=house.house().id,
        kind=kind,
        subject=subject or channel.code,
        detail=f"{channel.code}: {detail}",
        at=at,
    )
