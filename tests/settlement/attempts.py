"""What the tests of payout attempts share: a simulated channel, or nobody who answers."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from foundation.services import approval as approvals
from settlement.models import (
    PayoutAttempt,
)
from settlement.services import payout as payouts
from settlement.services.payout_verdict import Verdict
from tests.factories import payout as make
from tests.factories import simulator as simulators
from tests.factories.payout import NOON

Status = PayoutAttempt.Status
SECOND = timedelta(seconds=1)


@pytest.fixture
def channel(tmp_path: Path, settings):
    with simulators.running(tmp_path) as running:
        make.address(running.url)
        yield running


@pytest.fixture
def nobody(settings):
    make.address()


def send(made) -> Verdict | None:
    return payouts.send(**made.key, at=NOON)


def only(made) -> PayoutAttempt:
    return PayoutAttempt.objects.select_related("withdrawal").get(withdrawal=made)


def states(made) -> tuple[str, str]:
    made.refresh_from_db()
    return only(made).status, made.status


def decide(approval, checker, at=NOON):
    return approvals.decide(
        approval_id=approval.id,
        merchant_id=approval.merchant_id,
        checker=checker,
        approve=True,
        reason="",
        seen_sha256=approval.content_sha256,
        at=at,
    )


def run(work, count: int) -> None:
    threads = [threading.Thread(target=work, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
