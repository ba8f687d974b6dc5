"""Celery entry points of `merchants`."""

from __future__ import annotations

from celery import shared_task

from foundation import clock
from foundation.services import job as jobs
from merchants.services import confirmation as confirmations
from merchants.services import invitation as invitations
from merchants.services import (
    merchant_letter,
    one_time_code,
    owner_notice,
    paper_letter,
    paper_watch,
)
from merchants.services import webhook_delivery as webhooks
from merchants.services import webhook_endpoint as webhook_endpoints


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


@shared_task(name="merchants.tell_of_paper", time_limit=120, soft_time_limit=110)
def tell_of_paper(*, merchant_id: int, notice_id: int, **_: object) -> None:
    """Tell a merchant's owners of a paper that ends."""
    paper_letter.send(
        merchant_id=merchant_id, notice_id=notice_id, on=clock.business_date(clock.now())
    )


@shared_task(name="merchants.tell_of_move", time_limit=120, soft_time_limit=110)
def tell_of_move(*, merchant_id: int, sequence: int, **_: object) -> None:
    """Tell a merchant's owners that it was frozen, restricted, restored, or closes."""
    merchant_letter.send_move(
        merchant_id=merchant_id, sequence=sequence, on=clock.business_date(clock.now())
    )


@shared_task(name="merchants.tell_of_change", time_limit=120, soft_time_limit=110)
def tell_of_change(*, merchant_id: int, application_id: int, **_: object) -> None:
    """Tell a merchant's owners which of its details an approved change changed."""
    merchant_letter.send_change(merchant_id=merchant_id, application_id=application_id)


@shared_task(name="merchants.look_at_papers")
def look_at_papers(*, merchant_id: int, **_: object) -> None:
    """Propose what follows from one merchant's papers, which were just renewed."""
    now = clock.now()
    paper_watch.look(on_date=clock.business_date(now), at=now, merchant_id=merchant_id)


@shared_task(name="merchants.watch_papers")
def watch_papers(**_: object) -> None:
    """Warn of papers that end, and propose what follows; twice a day, all news once."""
    now = clock.now()
    try:
        paper_watch.run(on_date=clock.business_date(now), at=now)
    except jobs.JobRunning:
        return  # another one is at it


@shared_task(name="merchants.send_webhooks", time_limit=60, soft_time_limit=50)
def send_webhooks(**_: object) -> None:
    """Tell merchants' programs what is due; every few seconds, in parallel too."""
    webhooks.send_due(now=clock.now)


@shared_task(name="merchants.tell_of_webhook", time_limit=120, soft_time_limit=110)
def tell_of_webhook(*, merchant_id: int, endpoint_id: int, **_: object) -> None:
    """Tell a merchant's owners that an endpoint was paused after days of failures."""
    webhook_endpoints.tell_owners(merchant_id=merchant_id, endpoint_id=endpoint_id)


@shared_task(name="merchants.purge_webhooks")
def purge_webhooks(**_: object) -> None:
    """Forget deliveries that ended and are old; once a day."""
    webhooks.purge(at=clock.now())
