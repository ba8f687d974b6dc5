"""What is agreed with a channel changes as two persons decide (REG-6)."""

from __future__ import annotations

import pytest

from channels.models import Channel
from channels.services import channel as channels
from foundation.models import AuditEvent
from foundation.services import approval as approvals
from tests.factories import registration as given
from tests.factories.approval import approve
from tests.factories.merchants import MerchantFactory
from tests.factories.registration import AT, clerk

pytestmark = pytest.mark.django_db
OURS = {"reviews": "HOUSE", "settles": "HOUSE", "bears_loss": "HOUSE"}


def propose(**words: object):
    asked = {"code": "wechat", "registers": ["qr", "card"], "reason": "new contract", **OURS}
    return channels.propose(**(asked | {"maker": clerk(), "at": AT} | words))  # type: ignore[arg-type]


def test_terms_are_in_force_when_another_person_decided():
    channel = given.channel()
    row = given.requested(MerchantFactory.create(), channel)
    approval = propose()
    channel.refresh_from_db()
    assert channel.registers == ["qr"]

    with pytest.raises(approvals.SelfApprovalForbidden):
        approvals.decide(
            approval_id=approval.id, merchant_id=approval.merchant_id, checker=approval.maker,
            approve=True, reason="", seen_sha256=approval.content_sha256, at=AT,
        )  # fmt: skip
    approve(approval, at=AT)

    channel.refresh_from_db()
    row.refresh_from_db()
    assert (channel.registers, channel.loss_borne_by) == (["card", "qr"], "HOUSE")
    assert (channel.terms_approval_id, row.loss_borne_by) == (approval.id, "CHANNEL")
    last = AuditEvent.objects.filter(action="channel.terms").latest("id")
    assert (last.before["registers"], last.after["registers"]) == (["qr"], ["card", "qr"])


def test_a_channel_may_end_to_register_anybody():
    channel = given.channel()

    approve(propose(registers=[], reviews="", settles="", bears_loss=""), at=AT)

    channel.refresh_from_db()
    assert (channel.registers, channel.reviewed_by_whom) == ([], "")


@pytest.mark.parametrize(
    ("words", "field"),
    [({"settles": ""}, "settled_by_whom"), ({"reviews": "NOBODY"}, "reviewed_by_whom")],
)
def test_all_three_bear_something_or_none(words, field):
    given.channel()

    with pytest.raises(channels.TermsMalformed) as refused:
        propose(**words)
    assert refused.value.field == field


def test_nothing_different_is_not_proposed():
    channel = given.channel()

    with pytest.raises(channels.TermsMalformed):
        propose(**{name: str(value) for name, value in {
            "reviews": channel.reviewed_by_whom, "settles": channel.settled_by_whom,
            "bears_loss": channel.loss_borne_by}.items()}, registers=["qr"])  # fmt: skip


def test_a_proposal_of_other_terms_than_stand_is_not_decided():
    Channel.objects.create(code="wechat", created_at=AT)
    approval = propose()
    given.channel()  # an operator wrote the first ones down meanwhile

    with pytest.raises(channels.TermsChanged):
        approve(approval, at=AT)
