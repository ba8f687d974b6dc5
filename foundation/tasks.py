"""Celery entry points of `foundation`."""

from __future__ import annotations

from celery import shared_task

from foundation import clock
from foundation.services import (
    approval,
    file_export,
    file_import,
    first_password,
    guess_count,
    idempotency,
    notice,
    outbox,
    password_reset,
)
from foundation.session_store import SessionStore


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


@shared_task(name="foundation.write_export")
def write_export(*, export_id: int, **_: object) -> None:
    """Write the file of one export; safe to deliver any number of times."""
    file_export.write(export_id=export_id, at=clock.now())


@shared_task(name="foundation.expire_files")
def expire_files(**_: object) -> None:
    """Forget uploads nobody confirmed and delete exports whose time is over; every few minutes."""
    now = clock.now()
    file_import.expire_due(at=now)
    file_export.expire_due(at=now)


@shared_task(name="foundation.mail_password_reset")
def mail_password_reset(*, user_id: str, **_: object) -> None:
    """Send the link for a new sign-in password; nothing where there is nobody."""
    password_reset.mail_link(user_id=user_id)


@shared_task(name="foundation.mail_first_password")
def mail_first_password(*, user_id: str, until: int, **_: object) -> None:
    """Send the link for the first password of an account of staff."""
    first_password.mail_link(user_id=user_id, until=until)


@shared_task(name="foundation.purge_guess_counts")
def purge_guess_counts(**_: object) -> None:
    """Forget wrong sign-in passwords that count for nothing any more; daily."""
    guess_count.purge(at=clock.now())


@shared_task(name="foundation.purge_sessions")
def purge_sessions(**_: object) -> None:
    """Forget what sessions kept that are over; daily."""
    SessionStore.clear_expired()
