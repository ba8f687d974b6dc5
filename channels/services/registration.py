"""Registering merchants with channels: our review came first, the channel's is the second."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from channels.adapters import registration as adapter
from channels.adapters.registration import Answer, Said, Submission
from channels.models import Registration, RegistrationTransition
from channels.models.registration import MAX_NUMBER, MAX_REFERENCE, MAX_TEXT, TRANSITIONS, State
from channels.selectors import registration as registrations
from channels.selectors.registration import Offer
from config.errors import DomainError, Malformed, NotFound
from foundation import actor, sql
from foundation.models import User
from foundation.selectors.house import house_id
from merchants.models import ApplicationEvidence, Merchant
from merchants.selectors import application as applications

_GOALS = {
    Said.PENDING: State.SUBMITTED,
    Said.APPROVED: State.APPROVED,
    Said.REFUSED: State.REFUSED,
}


class NotOffered(DomainError):
    """The merchant's application or the channel's contract does not have this product."""

    code = "registration_not_offered"


class MerchantNotInForce(DomainError):
    """The merchant is frozen, closing, closed, or the house itself."""

    code = "registration_merchant_not_in_force"


class IllegalStep(DomainError):
    """The registration cannot go from where it is to where it was asked to go."""

    code = "registration_illegal_step"


class NumberTaken(DomainError):
    """The channel's number belongs to another merchant."""

    code = "registration_number_taken"


class AnswerMalformed(Malformed):
    """Reference, text or number is missing or too long."""

    code = "registration_answer_malformed"


def request(
    *, merchant_id: int, channel_id: int, product: str, by: User, at: datetime
) -> Registration:
    """
    Ask for one registration, or return the one that is live already; a refused one is asked anew.

    Raises: NotFound, MerchantNotInForce, NotOffered.
    Rule:   REG-1, REG-2 (docs/rules/channel_registrations.md).
    """
    (made,) = request_many(merchant_id=merchant_id, wanted=[(channel_id, product)], by=by, at=at)
    return made


def request_all(*, merchant_id: int, by: User, at: datetime) -> list[Registration]:
    """
    Ask for every registration that was never asked for: each product that the merchant's
    application has, with each channel that registers for it. Return the new ones.

    What a channel refused is not asked again by this. Raises: NotFound, MerchantNotInForce.
    """
    with transaction.atomic():
        merchant = _locked_merchant(merchant_id)
        wanted = [
            (offer.channel.id, offer.product.code)
            for offer in registrations.offers(merchant)
            if offer.latest is None
        ]
        return _request(merchant, wanted, by=by, at=at)


def request_many(
    *, merchant_id: int, wanted: Iterable[tuple[int, str]], by: User, at: datetime
) -> list[Registration]:
    """Ask for several (channel, product) of one merchant: all of them or none. As `request`."""
    with transaction.atomic():
        return _request(_locked_merchant(merchant_id), wanted, by=by, at=at)


def submit(
    *, merchant_id: int, registration_id: int, reference: str, by: User, at: datetime
) -> Registration:
    """
    Write down that it was sent to the channel, under the channel's reference.

    Raises: NotFound, AnswerMalformed, IllegalStep. Rule: REG-3.
    """
    reference = _sized(reference, 1, MAX_REFERENCE, _("the channel's reference"))
    with transaction.atomic():
        found = _locked(merchant_id, registration_id)
        if found.state == State.SUBMITTED and found.reference == reference:
            return found
        if found.state != State.REQUESTED:
            raise _illegal(found, State.SUBMITTED)
        return _move(found, State.SUBMITTED, by=by, at=at, submitted_at=at, reference=reference)


def query_status(
    *,
    merchant_id: int,
    registration_id: int,
    by: User,
    at: datetime,
    written: Answer | None = None,
) -> Registration:
    """
    Ask the channel what became of it, and record what it says; `written` is what a person heard.

    The channel is asked outside of any transaction. Raises: NotFound, IllegalStep, AskByHand, and
    what `record_answer` raises. Rule: REG-4.
    """
    found = _registrations(merchant_id, registration_id).first()
    if found is None:
        raise NotFound(_("There is no such registration."))
    if found.state == State.REQUESTED:
        raise IllegalStep(_("It was not submitted yet: there is nothing to ask the channel about."))
    submission = Submission(
        found.channel.code, found.merchant.merchant_no, found.product_id, found.reference
    )
    said = adapter.desk_of(found.channel.code).ask(submission, written)
    return record_answer(
        merchant_id=merchant_id, registration_id=registration_id, answer=said, by=by, at=at
    )


def record_answer(
    *, merchant_id: int, registration_id: int, answer: Answer, by: User, at: datetime
) -> Registration:
    """
    Write down what the channel said. The same answer again changes nothing; another one after it
    decided is refused.

    Raises: NotFound, AnswerMalformed, IllegalStep, NumberTaken. Rule: REG-4, REG-5.
    """
    text = _sized(answer.text, answer.said != Said.APPROVED, MAX_TEXT, _("the channel's text"))
    approved = answer.said == Said.APPROVED
    number = _sized(
        answer.channel_merchant_no, approved, MAX_NUMBER if approved else 0, _("merchant number")
    )
    goal = _GOALS[answer.said]
    with transaction.atomic():
        found = _locked(merchant_id, registration_id)
        if found.answered_at and (found.state, found.answer, found.channel_merchant_no) == (
            goal, text, number,
        ):  # fmt: skip
            return found
        if goal not in TRANSITIONS[State(found.state)] or found.state != State.SUBMITTED:
            raise _illegal(found, goal)
        if goal == State.SUBMITTED:
            return _move(found, goal, by=by, at=at, text=text)
        if approved and _taken(found, number):
            raise NumberTaken(
                _("%(number)s is another merchant's number with this channel.") % {"number": number}
            )
        return _move(
            found, goal, by=by, at=at, text=text, answered_at=at, answer=text,
            channel_merchant_no=number,
        )  # fmt: skip


def _taken(found: Registration, number: str) -> bool:
    """Return whether it is another merchant's; who says the same number at once waits here."""
    sql.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
        [f"registration:{found.channel_id}:{number}"],
    )
    return registrations.number_taken(found, number)


def _request(
    merchant: Merchant, wanted: Iterable[tuple[int, str]], *, by: User, at: datetime
) -> list[Registration]:
    offers = {(one.channel.id, one.product.code): one for one in registrations.offers(merchant)}
    made = []
    for pair in dict.fromkeys(wanted):
        offer = offers.get(pair)
        if offer is None:
            raise NotOffered(
                _("Not agreed: the merchant's application or the channel has no such product.")
            )
        live = offer.latest is not None and offer.latest.state != State.REFUSED
        made.append(offer.latest if live and offer.latest else _begin(merchant, offer, by, at))
    return made


def _begin(merchant: Merchant, offer: Offer, by: User, at: datetime) -> Registration:
    version, sha256 = _evidence(merchant)
    made = Registration.objects.create(
        merchant=merchant,
        channel=offer.channel,
        product=offer.product,
        attempt_no=1 if offer.latest is None else offer.latest.attempt_no + 1,
        moved_at=at,
        application_id=merchant.stands_on,
        application_version=version,
        evidence_sha256=sha256,
        reviewed_by_whom=offer.channel.reviewed_by_whom,
        settled_by_whom=offer.channel.settled_by_whom,
        loss_borne_by=offer.channel.loss_borne_by,
        requested_at=at,
        requested_by=by,
    )
    _step(made, "", by=by, at=at, text="")
    return made


def _evidence(merchant: Merchant) -> tuple[int, str]:
    """Return version and hash of evidence of what the merchant stands on; of a file none."""
    application = applications.of_merchant(merchant)
    if application is None:
        return 0, ""
    kept = ApplicationEvidence.objects.get(merchant_id=house_id(), application=application)
    return application.version_no, kept.sha256


def _move(
    found: Registration, to: State, *, by: User, at: datetime, text: str = "", **fields: Any
) -> Registration:
    """Move a locked registration, with its history: the only code that writes its state."""
    before = str(found.state)
    found.state, found.sequence, found.moved_at = to, found.sequence + 1, at
    for name, value in fields.items():
        setattr(found, name, value)
    found.save(update_fields=["state", "sequence", "moved_at", *fields])
    _step(found, before, by=by, at=at, text=text)
    return found


def _step(found: Registration, before: str, *, by: User, at: datetime, text: str) -> None:
    who = actor.current()
    RegistrationTransition.objects.create(
        merchant_id=found.merchant_id,
        registration=found,
        sequence=found.sequence,
        from_state=before,
        to_state=found.state,
        text=text,
        user=by,
        at=at,
        actor=who.name,
        request_id=who.request_id,
    )


def _registrations(merchant_id: int, registration_id: int) -> Any:
    rows = Registration.objects.filter(merchant_id=merchant_id, id=registration_id)
    return rows.select_related("merchant", "channel")


def _locked(merchant_id: int, registration_id: int) -> Registration:
    actor.stamp_transaction()
    rows = _registrations(merchant_id, registration_id)
    found: Registration | None = rows.select_for_update(of=("self",)).first()
    if found is None:
        raise NotFound(_("There is no such registration."))
    return found


def _locked_merchant(merchant_id: int) -> Merchant:
    """Return the merchant, locked, so that two who ask at once wait for each other."""
    actor.stamp_transaction()
    found = Merchant.objects.select_for_update(no_key=True).filter(id=merchant_id).first()
    if found is None:
        raise NotFound(_("There is no such merchant."))
    if not registrations.in_force(found):
        raise MerchantNotInForce(
            _("Merchant %(merchant)s is %(status)s: nothing is registered for it.")
            % {"merchant": found, "status": found.get_status_display()}
        )
    return found


def _illegal(found: Registration, to: State) -> IllegalStep:
    return IllegalStep(
        _("The registration is: %(before)s. It cannot become: %(after)s.")
        % {"before": State(found.state).label, "after": to.label}
    )


def _sized(text: str, least: int, most: int, what: str) -> str:
    """Return a text without blanks around it. Raises AnswerMalformed, naming it."""
    text = text.strip()
    if not int(least) <= len(text) <= most or not text.isprintable():
        raise AnswerMalformed(
            _("%(what)s: %(least)s to %(most)s characters, on one line.")
            % {"what": what, "least": int(least), "most": most}
        )
    return text
