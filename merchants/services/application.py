"""Entering an application: begin, save as a draft at any time, submit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from config.errors import DomainError, Malformed, NotFound
from foundation import actor, canonical, clock, crypto, sql
from foundation.models import User
from foundation.services import audit
from merchants.models import Application, ApplicationVersion
from merchants.models.application import OPEN
from merchants.selectors import application as applications
from merchants.selectors import application_requirement as requirements
from merchants.selectors.application_requirement import Requirement
from merchants.services import application_check, application_party
from merchants.services.application_check import Problems
from merchants.services.application_step import born, lock, move

PROFILE: Final = frozenset(
    {*applications.PLAIN, "industry_id", "account_number"}  # what the form writes on the row
)


class NotOpen(DomainError):
    """The content changes only in a draft or in what was returned for completion."""

    code = "application_not_open"


class ChangedMeanwhile(DomainError):
    """Somebody else saved the application since this form was opened."""

    code = "application_changed_meanwhile"

    def __init__(self, application: Application) -> None:
        super().__init__(
            _("Application %(number)s was saved meanwhile, by somebody else or in another window.")
            % {"number": application.number}
        )


class Incomplete(DomainError):
    """Something is due before the application can be submitted; `due` says what."""

    code = "application_incomplete"

    def __init__(self, message: str, due: Sequence[Requirement]) -> None:
        self.due = due
        super().__init__(message, fields=[one.path for one in due])


class GivenUpWithoutReason(Malformed):
    """Whoever reads the history must see why an application did not go on."""

    code = "given_up_without_reason"


@dataclass(frozen=True, slots=True)
class Saved:
    """The application as it stands now, and what was not stored because it is wrong."""

    application: Application
    problems: Problems


def begin(*, maker: User, at: datetime, brought_by: User | None = None) -> Application:
    """
    Make an empty draft in the house's book; whoever enters it and whoever brought it never review
    it.

    Rule: APP-1, APP-5 (docs/rules/applications.md).
    """
    with transaction.atomic():
        actor.stamp_transaction()
        return create(maker=maker, brought_by=brought_by or maker, at=at)


def create(*, maker: User, brought_by: User, at: datetime, **content: Any) -> Application:
    """Write a draft with its first step, inside the caller's transaction."""
    house, row_id = applications.house_id(), _next_id()
    application = Application.objects.create(
        id=row_id,
        merchant_id=house,
        number=f"A{clock.business_date(at):%y%m}{house:07d}-{row_id:06d}",
        entered_by=maker,
        brought_by=brought_by,
        makers=_with([], maker, brought_by),
        created_at=at,
        **content,
    )
    born(application, by=maker, at=at)
    audit.record(
        merchant_id=house,
        action="application.begin",
        object_kind="application",
        object_id=application.number,
        after={"kind": str(application.kind)},
    )
    return application


def save(
    *,
    application_id: int,
    revision: int,
    maker: User,
    profile: Mapping[str, Any],
    owners: Sequence[Mapping[str, Any]] = (),
    contacts: Sequence[Mapping[str, Any]] = (),
    sites: Sequence[Mapping[str, Any]] = (),
    brought_by: User | None = None,
) -> Saved:
    """
    Store whatever is right of a form, at any time; say what is wrong beside each field.

    Rows of the parts carry `line_no`; a row without a name is taken away. An empty secret number
    keeps the one there is. `revision` is the one the form was opened with. What has its own flow
    is left alone in a change.

    Raises: NotFound, NotOpen, ChangedMeanwhile.
    Rule:   APP-1, APP-3, APP-16.
    """
    if unknown := set(profile) - PROFILE:
        raise KeyError(f"not fields of an application: {sorted(unknown)}")
    with transaction.atomic():
        actor.stamp_transaction()
        application = _open(application_id)
        if application.revision != revision:
            raise ChangedMeanwhile(application)
        if application.kind != Application.Kind.OPENING:
            profile = {n: v for n, v in profile.items() if n not in applications.OWN_FLOW}
        good, problems = application_check.profile(
            {
                "country": application.country,
                "account_kind": application.account_kind,
                **profile,
            }
        )
        number = good.pop("account_number", "")
        for name, value in good.items():
            setattr(application, name, value)
        if number:
            application.account_number = number
            application.account_hash = crypto.lookup_hash(number)
            application.account_masked = crypto.mask(number)
        application.brought_by = brought_by or application.brought_by
        application.makers = _with(application.makers, maker, application.brought_by)
        application.revision += 1
        application.save()
        problems |= application_party.save_owners(application, owners)
        problems |= application_party.save_contacts(application, contacts)
        problems |= application_party.save_sites(application, sites)
    return Saved(application, problems)


def submit(*, application_id: int, revision: int, maker: User, at: datetime) -> Application:
    """
    Freeze the content as the next version and hand it to the first review.

    Raises: NotFound, NotOpen, ChangedMeanwhile, Incomplete.
    Rule:   APP-2, APP-4, APP-6.
    """
    with transaction.atomic(durable=True):
        actor.stamp_transaction()
        application = _open(application_id)
        if application.revision != revision:
            raise ChangedMeanwhile(application)
        require_complete(application, at)
        application.makers = _with(application.makers, maker)
        frozen = canonical.encode(applications.content(applications.whole(application)))
        version = ApplicationVersion.objects.create(
            merchant_id=application.merchant_id,
            application=application,
            number=application.version_no + 1,
            content=frozen.decode(),
            sha256=hashlib.sha256(frozen).hexdigest(),
            submitted_by=maker,
            submitted_at=at,
        )
        move(
            application,
            Application.State.SUBMITTED,
            by=maker,
            at=at,
            version_no=version.number,
            makers=application.makers,
            due_date=None,
        )
        audit.record(
            merchant_id=application.merchant_id,
            action="application.submit",
            object_kind="application",
            object_id=application.number,
            after={"version": version.number, "sha256": version.sha256},
        )
    return application


def give_up(*, application_id: int, maker: User, reason: str, at: datetime) -> Application:
    """
    Take back an application that shall not go on, as a draft or after it was returned; for good.

    Raises: NotFound, NotOpen; GivenUpWithoutReason. Rule: APP-19.
    """
    if not reason.strip():
        raise GivenUpWithoutReason(_("Please say why."))
    with transaction.atomic(durable=True):
        actor.stamp_transaction()
        application = _open(application_id)
        move(
            application,
            Application.State.WITHDRAWN,
            by=maker,
            at=at,
            reason=reason.strip()[:500],
            due_date=None,
        )
        audit.record(
            merchant_id=application.merchant_id,
            action="application.give_up",
            object_kind="application",
            object_id=application.number,
            note=reason.strip()[:500],
        )
    return application


def require_complete(application: Application, at: datetime) -> None:
    """Raise Incomplete while something blocking is due. Rule: APP-4."""
    due = requirements.requirements(applications.whole(application), today=clock.business_date(at))
    blocking = [one for one in due if one.blocking]
    if blocking:
        raise Incomplete(
            _("%(many)s things are due before it can be submitted.") % {"many": len(blocking)},
            blocking,
        )


def _open(application_id: int) -> Application:
    application = lock(application_id)
    if application.state not in OPEN:
        raise NotOpen(
            _("Application %(number)s is %(state)s; its content no longer changes.")
            % {"number": application.number, "state": application.get_state_display()}
        )
    return application


def open_for_change(application_id: int, maker: User) -> Application:
    """
    Return an application locked for a change by this person, who becomes one of its makers.

    Raises: NotFound, NotOpen. Rule: APP-5.
    """
    application = _open(application_id)
    if maker.person_id not in application.makers:
        application.makers = _with(application.makers, maker)
        application.save(update_fields=["makers"])
    return application


def latest_version(application: Application) -> ApplicationVersion:
    """Return what was submitted last. Raises NotFound for a draft that never was."""
    found = ApplicationVersion.objects.filter(
        merchant_id=application.merchant_id,
        application=application,
        number=application.version_no,
    ).first()
    if found is None:
        raise NotFound(_("Nothing was submitted yet."))
    return found


def _with(makers: Iterable[Any], *people: User) -> list[Any]:
    found = list(makers)
    for user in people:
        if user.person_id not in found:
            found.append(user.person_id)
    return found


def _next_id() -> int:
    found = sql.rows("SELECT nextval(pg_get_serial_sequence('merchants_application', 'id')) AS id")
    return int(found[0]["id"])
