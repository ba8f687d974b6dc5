"""Celery entry points of `merchants`."""

from __future__ import annotations

from celery import shared_task

from foundation import clock
from merchants.services import confirmation as confirmations
from merchants.services import invitation as invitations
from merchants.services import one_time_code, owner_notice


@shared_task(name="merchants.mail_invitation")
def mail_invitation(*, merchant_id: int, invitation_id: int, **_: object) -> None:
    """Send the link of an invitation; a second delivery sends the same link again."""
    invitations.mail_link(merchant_id=merchant_id, invitation_id=invitation_id)


@shared_task(name="merchants.send_one_time_code", time_limit=60, soft_time_limit=50)
def send_one_time_code(*, merchant_id: int, code_id: int, **_: object) -> None:
    """Send one code to its person; safe to deliver any number of times."""
    one_time_code.send(merchant_id=merchant_id, code_id=code_id, at=clock.now())


@shared_task(name="merchants.tell_owners", time_limit=120, soft_time_limit=110)
def tell_owners(*, merchant_id: int, bank_account_id: int, event: str, **_: object) -> None:
    """Tell a merchant's owners of one of its bank accounts."""
    owner_notice.send(merchant_id=merchant_id, bank_account_id=bank_account_id, event=event)


@shared_task(name="merchants.tell_colleagues", time_limit=120, soft_time_limit=110)
def tell_colleagues(*, merchant_id: int, confirmation_id: int, **_: object) -> None:
    """Tell who may confirm what a colleague asks for; nothing once it is decided."""
    confirmations.tell(merchant_id=merchant_id, confirmation_id=confirmation_id)
