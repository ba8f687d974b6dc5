"""Celery entry points of `merchants`."""

from __future__ import annotations

from celery import shared_task

from merchants.services import invitation as invitations


@shared_task(name="merchants.mail_invitation")
def mail_invitation(*, merchant_id: int, invitation_id: int, **_: object) -> None:
    """Send the link of an invitation; a second delivery sends the same link again."""
    invitations.mail_link(merchant_id=merchant_id, invitation_id=invitation_id)
