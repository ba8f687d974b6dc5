"""The only code that writes the state of an application, with its history."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from config.errors import DomainError, Forbidden, NotFound
from foundation import actor
from foundation.models import User
from merchants.models import Application, ApplicationTransition
from merchants.models.application import TRANSITIONS
from merchants.selectors import application as applications
from merchants.selectors import membership as memberships


class IllegalStep(DomainError):
    """The application cannot go from where it is to where it was asked to go."""

    code = "application_illegal_step"


class MovedOn(DomainError):
    """The application took a step since who decides had looked at it."""

    code = "application_moved_on"


class HadAHand(Forbidden):
    """Who had a hand in the content of an application does not review it."""

    code = "application_had_a_hand"


def born(application: Application, *, by: User, at: datetime) -> None:
    """Write the first step of an application that was just inserted."""
    _step(application, "", by=by, at=at, reason="")


def move(
    application: Application,
    to: Application.State,
    *,
    by: User,
    at: datetime,
    reason: str = "",
    **fields: Any,
) -> None:
    """
    Move a locked application along the table, with its history and further `fields`.

    Raises: IllegalStep. Rule: APP-2 (docs/rules/applications.md).
    """
    before = Application.State(application.state)
    if to not in TRANSITIONS[before]:
        raise IllegalStep(
            _("Application %(number)s is %(before)s; it cannot become %(after)s.")
            % {"number": application.number, "before": before.label, "after": to.label}
        )
    application.state, application.sequence = to, application.sequence + 1
    for name, value in fields.items():
        setattr(application, name, value)
    application.save(update_fields=["state", "sequence", *fields])
    _step(application, str(before), by=by, at=at, reason=reason)


def lock(application_id: int) -> Application:
    """Return the application, locked until the transaction ends. Raises NotFound."""
    found = Application.objects.select_for_update().filter(
        merchant_id=applications.house_id(), id=application_id
    )
    application = found.first()
    if application is None:
        raise NotFound(_("There is no such application."))
    return application


def require_seen(application: Application, seen: int) -> None:
    """
    Raise MovedOn unless the last step of a locked application is the one that who decides has seen:
    nobody refuses what somebody else has just returned, or passes a version he never read. Rule:
    APP-22.
    """
    if application.sequence != seen:
        state = Application.State(application.state)
        raise MovedOn(
            _("Application %(number)s moved on meanwhile: it is %(state)s. Look at it once more.")
            % {"number": application.number, "state": state.label}
        )


def require_no_hand(application: Application, *persons: UUID) -> None:
    """
    Raise HadAHand if one of them entered, changed or brought the application, is a contact that it
    names, or acts for the merchant that it changes. Rule: APP-5, APP-20, APP-21.
    """
    if set(persons) & set(application.makers):
        raise HadAHand(
            _("You had a hand in application %(number)s; another person must review it.")
            % {"number": application.number}
        )
    if applications.is_contact(application, persons):
        raise HadAHand(
            _("Application %(number)s names you as a contact; another person must review it.")
            % {"number": application.number}
        )
    if application.concerns_id is not None and {
        str(person) for person in persons
    } & memberships.insiders([application.concerns_id]):
        raise HadAHand(
            _("You act or acted for the merchant that %(number)s changes; another must review it.")
            % {"number": application.number}
        )


def _step(application: Application, before: str, *, by: User, at: datetime, reason: str) -> None:
    who = actor.current()
    ApplicationTransition.objects.create(
        merchant_id=application.merchant_id,
        application=application,
        sequence=application.sequence,
        from_state=before,
        to_state=application.state,
        reason=reason,
        user=by,
        at=at,
        actor=who.name,
        request_id=who.request_id,
    )
