"""Factors that others give while a request stays open: a second person, a call-back."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import DomainError, Forbidden, NotFound
from foundation import actor, registries
from foundation.models import User
from foundation.money import Money
from foundation.services import audit, mail, outbox
from foundation.verification import Presented, VerificationFactor
from merchants.models import (
    ApplicationContact,
    Confirmation,
    Membership,
    VerificationAttempt,
    VerificationRequest,
)
from merchants.selectors import application as applications
from merchants.selectors import confirmation as selectors
from merchants.selectors import membership as memberships
from merchants.services import verification_token as tokens

State = Confirmation.State
SECOND: Final = "second_person"
CALL: Final = "call_back"
OPERATION: Final = "confirmation"  # as verification tokens name the act of a colleague
TELL: Final = "merchants.tell_colleagues"
_FIRST: Final = (ApplicationContact.Role.OWNER, ApplicationContact.Role.FINANCE)


class NobodyElse(DomainError):
    """The merchant has no other person who may confirm."""

    code = "confirmation_nobody_else"


class NobodyToCall(DomainError):
    """The approved application names no telephone number, so nobody can be called back."""

    code = "confirmation_nobody_to_call"


class OwnConfirmation(Forbidden):
    """Nobody confirms what he asked for himself, under any of his accounts."""

    code = "confirmation_own"


class ConfirmationOver(DomainError):
    """It is decided already, or its time is over."""

    code = "confirmation_over"


class ConfirmationRefused(DomainError):
    """Whoever was to confirm said no: this verification is over."""

    code = "confirmation_refused"
    http_status = 403


def colleagues(request: VerificationRequest) -> list[User]:
    """Return who of the merchant's people may confirm a request: other persons with its right."""
    wanted = set(registries.verified_operations.get(request.operation).abilities)
    members = (
        Membership.objects.filter(
            merchant_id=request.merchant_id, active=True, user__is_active=True
        )
        .exclude(user__person_id=request.user.person_id)
        .select_related("user", "custom_role")
    )
    return [one.user for one in members if wanted & {str(each) for each in one.abilities}]


def confirm(
    *, merchant_id: int, confirmation_id: int, by: User, token: str, at: datetime
) -> Confirmation:
    """
    Say yes to what a colleague asks for, proved for exactly this act; the token is used up.

    Raises: NotFound, OwnConfirmation, Forbidden, ConfirmationOver, TokenRefused. Rule: VER-16.
    """
    with transaction.atomic():
        row = _locked(merchant_id, confirmation_id, SECOND, by, at)
        asked = row.verification
        _require_colleague(asked, by)
        row.token_id = tokens.consume(
            merchant_id=merchant_id,
            user=by,
            token=token,
            operation=OPERATION,
            amount=Money(asked.amount_minor, asked.currency),
            payee=asked.number,
            at=at,
        )
        return _decide(row, State.CONFIRMED, by, "", at)


def refuse(
    *, merchant_id: int, confirmation_id: int, by: User, note: str, at: datetime
) -> Confirmation:
    """
    Say no to what a colleague asks for; it gives nothing, so nothing is proved.

    Raises: NotFound, OwnConfirmation, Forbidden, ConfirmationOver. Rule: VER-16.
    """
    with transaction.atomic():
        row = _locked(merchant_id, confirmation_id, SECOND, by, at)
        _require_colleague(row.verification, by)
        return _decide(row, State.REFUSED, by, note, at)


def called(
    *,
    merchant_id: int,
    confirmation_id: int,
    by: User,
    confirmed: bool,
    note: str,
    at: datetime,
) -> Confirmation:
    """
    Record what came of calling the number on file: who was spoken with, and yes or no.

    The door asks for `merchants.call_back`. Raises: NotFound, OwnConfirmation, Forbidden,
    ConfirmationOver. Rule: VER-17.
    """
    if not by.is_staff:
        raise Forbidden(_("Only our staff call back."))
    if str(by.person_id) in memberships.insiders([merchant_id]):
        raise OwnConfirmation(_("You act or acted for this merchant; somebody else calls it back."))
    with transaction.atomic():
        row = _locked(merchant_id, confirmation_id, CALL, by, at)
        return _decide(row, State.CONFIRMED if confirmed else State.REFUSED, by, note, at)


def number_on_file(*, merchant_id: int, confirmation_id: int, by: User) -> tuple[str, str]:
    """
    Return whom to call and the whole number of the approved application; it is audited each time.

    Raises: NotFound. Rule: VER-17.
    """
    row = Confirmation.objects.filter(
        merchant_id=merchant_id, id=confirmation_id, factor=CALL, state=State.WAITING
    ).first()
    known = None if row is None else row.contact_id
    contact = None if known is None else _contacts(merchant_id).filter(id=known).first()
    if contact is None or not contact.phone:
        raise NotFound(_("There is no such confirmation."))
    with transaction.atomic():
        audit.record(
            merchant_id=merchant_id,
            action="confirmation.number_shown",
            object_kind="confirmation",
            object_id=str(confirmation_id),
            after={"phone": contact.phone_masked, "to": by.get_username()},
        )
    return contact.name, contact.phone


def tell(*, merchant_id: int, confirmation_id: int) -> None:
    """
    Tell who may confirm what still waits, each in his language. Raises what the mail server's
    connection raises: then all are told again, which harms nobody.
    """
    row = (
        Confirmation.objects.filter(
            merchant_id=merchant_id, id=confirmation_id, factor=SECOND, state=State.WAITING
        )
        .select_related("verification__user", "verification__merchant")
        .first()
    )
    for one in [] if row is None else colleagues(row.verification):
        if row is not None and one.email:
            with translation.override(one.language):
                operation, amount, payee = selectors.act_of(row.verification)
                context = {
                    "request": row.verification,
                    "operation": operation,
                    "amount": amount,
                    "payee": payee,
                }
                mail.send(
                    to=one.email, language=one.language, template="confirmation", context=context
                )


def _ask_colleague(presented: Presented) -> None:
    """Ask the others of the merchant's people once. Raises NobodyElse. Rule: VER-16."""
    request = VerificationRequest.objects.select_related("user").get(
        merchant_id=presented.merchant_id, id=presented.request_id
    )
    if not colleagues(request):
        raise NobodyElse(
            _("This needs a second person of yours who may do the same, and there is none.")
        )
    with transaction.atomic():
        row = _ask(request, SECOND, presented.at, {})
        if row is not None:
            payload = {"merchant_id": row.merchant_id, "confirmation_id": row.id}
            outbox.add(TELL, merchant_id=row.merchant_id, payload=payload, key=str(row.id))


def _ask_staff(presented: Presented) -> None:
    """Ask our staff once to call the number on file. Raises NobodyToCall. Rule: VER-17."""
    request = VerificationRequest.objects.get(
        merchant_id=presented.merchant_id, id=presented.request_id
    )
    found = sorted(
        _contacts(presented.merchant_id).defer("phone"),
        key=lambda one: (one.role not in _FIRST, one.role != _FIRST[0], one.line_no),
    )
    if not found:
        raise NobodyToCall(
            _("We call you back before this, and have no telephone number of yours: please ask us.")
        )
    first = found[0]
    on_file: dict[str, Any] = {
        "contact_id": first.id,
        "contact_name": first.name,
        "phone_masked": first.phone_masked,
    }
    with transaction.atomic():
        _ask(request, CALL, presented.at, on_file)


def _ask(
    request: VerificationRequest, factor: str, at: datetime, on_file: dict[str, Any]
) -> Confirmation | None:
    """Write that it waits; None when that is written already."""
    known = Confirmation.objects.filter(
        merchant_id=request.merchant_id, verification=request, factor=factor
    )
    if known.exists():
        return None
    row = Confirmation(
        merchant_id=request.merchant_id,
        verification=request,
        factor=factor,
        asked_at=at,
        expires_at=request.expires_at,
        **on_file,
    )
    Confirmation.objects.bulk_create([row], ignore_conflicts=True)
    made = known.first()
    if made is not None:
        _record(made, "confirmation.ask")
    return made


def _contacts(merchant_id: int) -> QuerySet[ApplicationContact]:
    """Return the contacts of the approved application that is in force for the merchant."""
    return ApplicationContact.objects.filter(
        application_id__in=applications.in_force([merchant_id]), phone_hash__isnull=False
    ).order_by("line_no")


def _locked(
    merchant_id: int, confirmation_id: int, factor: str, by: User, at: datetime
) -> Confirmation:
    """Return a confirmation that `by` may still decide, under lock."""
    actor.stamp_transaction()
    row = (
        Confirmation.objects.select_for_update(of=("self",))
        .select_related("verification__user")
        .filter(merchant_id=merchant_id, id=confirmation_id, factor=factor)
        .first()
    )
    if row is None:
        raise NotFound(_("There is no such confirmation."))
    if row.verification.user.person_id == by.person_id:
        raise OwnConfirmation(_("Nobody confirms what he asked for himself."))
    if row.state != State.WAITING or not row.asked_at <= at < row.expires_at:
        raise ConfirmationOver(_("This is decided already, or its time is over."))
    return row


def _require_colleague(request: VerificationRequest, by: User) -> None:
    tokens.require_able(merchant_id=request.merchant_id, user=by, operation=request.operation)


def _decide(row: Confirmation, state: State, by: User, note: str, at: datetime) -> Confirmation:
    row.state, row.decided_by, row.decided_at, row.note = state, by, at, note[:500]
    row.save(update_fields=["state", "decided_by", "decided_at", "note", "token_id"])
    who, confirmed = actor.current(), state == State.CONFIRMED
    Result = VerificationAttempt.Result
    VerificationAttempt.objects.create(
        merchant_id=row.merchant_id,
        verification=row.verification,
        factor=row.factor,
        result=Result.PASSED if confirmed else Result.REFUSED,
        level=registries.verification_factors.get(row.factor).level,
        reason="" if confirmed else ConfirmationRefused.code,
        at=at,
        actor=who.name,
        request_id=who.request_id,
    )
    _record(row, "confirmation.yes" if confirmed else "confirmation.no")
    return row


def _record(row: Confirmation, action: str) -> None:
    audit.record(
        merchant_id=row.merchant_id,
        action=action,
        object_kind="confirmation",
        object_id=str(row.id),
        after={
            "verification": row.verification.number,
            "factor": row.factor,
            "state": str(row.state),
            "phone": row.phone_masked,
        },
        note=row.note,
    )


SECOND_PERSON: Final = VerificationFactor(
    SECOND, gettext_lazy("second person"), level=4, prepare=_ask_colleague, by_others=True
)
CALL_BACK: Final = VerificationFactor(
    CALL, gettext_lazy("call-back"), level=5, prepare=_ask_staff, by_others=True
)
