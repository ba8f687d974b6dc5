"""Celery entry points of `foundation`."""

from __future__ import annotations

from celery import shared_task

from foundation import clock
from foundation.services import approval, idempotency, notice, outbox


@shared_task(name="foundation.relay_outbox")
def relay_outbox(**_: object) -> None:
    """Send what the outbox holds; nudged after commits and called by the beat every few seconds."""
    outbox.drain()


@shared_task(name="foundation.purge_outbox")
def purge_outbox(**_: object) -> None:
    """Forget messages that were done long ago; daily."""
    outbox.purge()


@shared_task(name="foundation.purge_idempotency_keys")
def purge_idempotency_keys(**_: object) -> None:
    """Forget idempotency keys older than we promised; daily."""
    idempotency.purge(at=clock.now())


@shared_task(name="foundation.expire_approvals")
def expire_approvals(**_: object) -> None:
    """Close the proposals nobody decided on in time; every minute."""
    approval.expire_due(at=clock.now())


@shared_task(name="foundation.mail_new_device")
def mail_new_device(*, sign_in_id: int, **_: object) -> None:
    """Tell the owner of an account about a sign-in from a new device or place."""
    notice.new_device(sign_in_id=sign_in_id)


@shared_task(name="foundation.mail_account_change")
def mail_account_change(*, user_id: str, act: str, **_: object) -> None:
    """Tell the owner of an account about a change of its proofs."""
    notice.account_change(user_id=user_id, act=act)
