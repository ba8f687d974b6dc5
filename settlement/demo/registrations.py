"""Registrations of the demo's merchants with its channels, one in each state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from channels.adapters.registration import Answer, Said
from channels.models import Registration
from channels.services import channel
from channels.services import registration as registrations
from foundation.models import User
from merchants.models import Merchant
from merchants.models.application import Bearer

# channel, kinds of product, who reviews, who settles, who bears the loss
_TERMS: Final = (
    ("wechat", ("qr",), Bearer.CHANNEL, Bearer.HOUSE, Bearer.CHANNEL),
    ("alipay", ("qr", "online"), Bearer.CHANNEL, Bearer.HOUSE, Bearer.CHANNEL),
    ("unionpay", ("card",), Bearer.HOUSE, Bearer.HOUSE, Bearer.HOUSE),
    ("netsunion", ("online",), Bearer.HOUSE, Bearer.CHANNEL, Bearer.HOUSE),
)
_SENT: Final = timedelta(days=3)
_LONG_AGO: Final = timedelta(days=12)


def make(merchants: Sequence[Merchant], *, by: User, at: datetime) -> None:
    """Leave them, once: asked for, sent, long without news, approved, refused and asked anew."""
    if Registration.objects.exists():
        return
    for code, products, reviews, settles, loss in _TERMS:
        channel.agree(
            code=code, registers=products, reviews=reviews, settles=settles, bears_loss=loss
        )
    first, second = merchants[:2]
    _asked(first, by, at - _LONG_AGO)
    _sent(first, "wechat", "WX-2026-0107", by, at - _LONG_AGO)
    _heard(first, "wechat", Answer(Said.APPROVED, "审核通过", "1900012345"), by, at - _SENT)
    _sent(first, "unionpay", "UP-55120", by, at - _LONG_AGO)
    _asked(second, by, at - _SENT)
    _sent(second, "wechat", "WX-2026-0233", by, at - _SENT)
    refused = Answer(Said.REFUSED, "门头照片与经营地址不一致，请补充后重新提交")
    _heard(second, "wechat", refused, by, at)
    again = _of(second, "wechat")
    registrations.request(
        merchant_id=second.id,
        channel_id=again.channel_id,
        product=again.product_id,
        by=by,
        at=at,
    )
    _sent(second, "netsunion", "NU-8841", by, at - _SENT)
    pending = Answer(Said.PENDING, "资料审核中，预计三个工作日")
    _heard(second, "netsunion", pending, by, at)


def _asked(merchant: Merchant, by: User, at: datetime) -> None:
    registrations.request_all(merchant_id=merchant.id, by=by, at=at)


def _sent(merchant: Merchant, code: str, reference: str, by: User, at: datetime) -> None:
    registrations.submit(
        merchant_id=merchant.id,
        registration_id=_of(merchant, code).pk,
        reference=reference,
        by=by,
        at=at,
    )


def _heard(merchant: Merchant, code: str, answer: Answer, by: User, at: datetime) -> None:
    registrations.query_status(
        merchant_id=merchant.id,
        registration_id=_of(merchant, code).pk,
        by=by,
        at=at,
        written=answer,
    )


def _of(merchant: Merchant, code: str) -> Registration:
    found = Registration.objects.filter(merchant_id=merchant.id, channel__code=code)
    return found.order_by("-id")[:1].get()
