"""Registering merchants with channels: our review came first, the channel's is the second."""

from __future__ import annotations

import re
import unicodedata
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

_NUMBER = re.compile("[!-~]*")  # an invisible or full-width sign would make it another one
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


class Outdated(DomainError):
    """The merchant has changed since it was asked for: withdraw it and ask anew."""

    code = "registration_outdated"


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
    Ask for one registration, or return the one that is live already. What has ended is asked anew,
    and so is what the merchant has changed since: unsent, it is withdrawn; approved, it stays until
    the channel has approved the new one (REG-9).

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
        merchant = _in_force(locked_merchant(merchant_id))
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
        return _request(_in_force(locked_merchant(merchant_id)), wanted, by=by, at=at)


def submit(
    *, merchant_id: int, registration_id: int, reference: str, by: User, at: datetime
) -> Registration:
    """
    Write down that it was sent to the channel, under the channel's reference: of a merchant in
    force, as it still is.

    Raises: NotFound, AnswerMalformed, IllegalStep, MerchantNotInForce, Outdated, NotOffered.
    Rule:   REG-3.
    """
    reference = sized(reference, 1, MAX_REFERENCE, _("the channel's reference"))
    with transaction.atomic():
        merchant = locked_merchant(merchant_id)
        found = locked(merchant_id, registration_id)
        if found.state == State.SUBMITTED and found.reference == reference:
            return found
        if found.state != State.REQUESTED:
            raise illegal(found, State.SUBMITTED)
        _in_force(merchant)
        if found.outdated_at is not None:
            raise Outdated(
                _("Merchant %(merchant)s has changed since. Withdraw this, and ask anew.")
                % {"merchant": merchant}
            )
        if found.product_id not in found.channel.registers:
            raise NotOffered(_("The channel registers nobody for this product any more."))
        return move(found, State.SUBMITTED, by=by, at=at, submitted_at=at, reference=reference)


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
    text = sized(answer.text, answer.said != Said.APPROVED, MAX_TEXT, _("the channel's text"))
    approved = answer.said == Said.APPROVED
    number = unicodedata.normalize("NFKC", answer.channel_merchant_no)
    number = sized(number, approved, MAX_NUMBER if approved else 0, _("merchant number"))
    if not _NUMBER.fullmatch(number):
        raise AnswerMalformed(_("A channel's number has no blanks, and no letters but A to Z."))
    goal = _GOALS[answer.said]
    with transaction.atomic():
        found = locked(merchant_id, registration_id)
        if found.answered_at and (found.state, found.answer, found.channel_merchant_no) == (
            goal, text, number,
        ):  # fmt: skip
            return found
        if goal not in TRANSITIONS[State(found.state)] or found.state != State.SUBMITTED:
            raise illegal(found, goal)
        if goal == State.SUBMITTED:
            return move(found, goal, by=by, at=at, text=text)
        if approved and _taken(found, number):
            raise NumberTaken(
                _("%(number)s is another merchant's number with this channel.") % {"number": number}
            )
        if approved:
            _replace_former(found, by=by, at=at)
        return move(
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


def _replace_former(found: Registration, *, by: User, at: datetime) -> None:
    """End the approved attempt that this one, approved now, was asked for in place of (REG-9)."""
    former = Registration.objects.filter(
        merchant_id=found.merchant_id,
        channel_id=found.channel_id,
        product_id=found.product_id,
        state=State.APPROVED,
    )
    for one in former.select_for_update():
        move(one, State.ENDED, by=by, at=at, ended_at=at, ended_how=Registration.Ended.REPLACED)


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
        if offer.latest is not None and not offer.open:
            made.append(offer.latest)
            continue
        if offer.latest is not None and offer.latest.state == State.REQUESTED:
            _withdraw_outdated(offer.latest, by=by, at=at)
        made.append(_begin(merchant, offer, by, at))
    return made


def _withdraw_outdated(found: Registration, *, by: User, at: datetime) -> None:
    reason = _("The merchant has changed since; it is asked for anew.")
    unsent = locked(found.merchant_id, found.pk)
    move(unsent, State.WITHDRAWN, by=by, at=at, text=reason, ended_at=at, end_reason=reason)


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


def move(
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


def locked(merchant_id: int, registration_id: int) -> Registration:
    """Return a registration of that merchant's, locked. Raises NotFound."""
    actor.stamp_transaction()
    rows = _registrations(merchant_id, registration_id)
    found: Registration | None = rows.select_for_update(of=("self",)).first()
    if found is None:
        raise NotFound(_("There is no such registration."))
    return found


def locked_merchant(merchant_id: int) -> Merchant:
    """Return a merchant, locked, so that two who ask at once wait for each other, or NotFound."""
    actor.stamp_transaction()
    found = Merchant.objects.select_for_update(no_key=True).filter(id=merchant_id).first()
    if found is None:
        raise NotFound(_("There is no such merchant."))
    return found


def _in_force(merchant: Merchant) -> Merchant:
    if not registrations.in_force(merchant):
        raise MerchantNotInForce(
            _("Merchant %(merchant)s is %(status)s: nothing is registered for it.")
            % {"merchant": merchant, "status": merchant.get_status_display()}
        )
    return merchant


def illegal(found: Registration, to: State) -> IllegalStep:
    """Return the refusal of a step that the table does not have."""
    return IllegalStep(
        _("The registration is: %(before)s. It cannot become: %(after)s.")
        % {"before": State(found.state).label, "after": to.label}
    )


def sized(text: str, least: int, most: int, what: str) -> str:
    """Return a text without blanks around it. Raises AnswerMalformed, naming it."""
    text = text.strip()
    if not int(least) <= len(text) <= most or not text.isprintable():
        raise AnswerMalformed(
            _("%(what)s: %(least)s to %(most)s characters, on one line.")
            % {"what": what, "least": int(least), "most": most}
        )
    return text
