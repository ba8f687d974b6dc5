"""
The first review of an application: begin, say what is missing, refuse, or propose to approve.

Each is about what the reviewer looked at: `seen` is the last step on his screen (APP-22).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from config.errors import Malformed
from foundation import actor, clock
from foundation.models import Approval, User
from foundation.services import approval as approvals
from foundation.services import audit
from merchants.models import Application, ApplicationComment, RiskGrade
from merchants.selectors import application as applications
from merchants.services import application_change
from merchants.services.application import latest_version, require_complete
from merchants.services.application_step import (
    IllegalStep,
    lock,
    move,
    require_no_hand,
    require_seen,
)

APPROVE: Final = "merchants.application_approve"
COMPLETE_WITHIN: Final = timedelta(days=14)
DECIDE_WITHIN: Final = timedelta(days=14)
MAX_COMMENT: Final = 500


class SayWhy(Malformed):
    """Nothing was said to who has to complete it, or has to be told."""

    code = "say_why"


def begin(
    *, application_id: int, reviewer: User, at: datetime, seen: int | None = None
) -> Application:
    """
    Take a submitted application into the first review.

    Raises: NotFound, MovedOn, IllegalStep, HadAHand.
    Rule:   APP-2, APP-5 (docs/rules/applications.md).
    """
    with transaction.atomic(durable=True):
        actor.stamp_transaction()
        application = _looked_at(application_id, seen)
        require_no_hand(application, reviewer.person_id)
        move(
            application,
            Application.State.FIRST_REVIEW,
            by=reviewer,
            at=at,
            first_reviewer=reviewer,
            first_reviewer_person_id=reviewer.person_id,
            approval=None,
        )
    return application


def give_back(
    *,
    application_id: int,
    reviewer: User,
    comments: Mapping[str, str],
    reason: str,
    at: datetime,
    seen: int | None = None,
) -> Application:
    """
    Return an application for completion, with a comment for each field that needs one; it is due
    in 14 days.

    Raises: NotFound, MovedOn, IllegalStep, HadAHand; SayWhy without any comment or reason.
    Rule:   APP-9.
    """
    said = {path: text.strip() for path, text in comments.items() if text.strip()}
    if not said and not reason.strip():
        raise SayWhy(_("Say what is to be completed: beside a field, or in the reason."))
    if any(len(text) > MAX_COMMENT for text in (*said.values(), reason)):
        raise SayWhy(_("At most %(most)s characters.") % {"most": MAX_COMMENT})
    with transaction.atomic(durable=True):
        actor.stamp_transaction()
        application = _looked_at(application_id, seen)
        require_no_hand(application, reviewer.person_id)
        _require_no_proposal(application)
        ApplicationComment.objects.bulk_create(
            ApplicationComment(
                merchant_id=application.merchant_id,
                application=application,
                version_no=application.version_no,
                field=path,
                text=text,
                author=reviewer,
                at=at,
            )
            for path, text in said.items()
        )
        move(
            application,
            Application.State.RETURNED,
            by=reviewer,
            at=at,
            reason=reason.strip(),
            due_date=clock.business_date(at + COMPLETE_WITHIN),
        )
        _record(application, "application.return", reason)
    return application


def refuse(
    *,
    application_id: int,
    reviewer: User,
    reason: str,
    at: datetime,
    seen: int | None = None,
) -> Application:
    """
    Refuse an application for good, from the first review or after it was returned.

    Raises: NotFound, MovedOn, IllegalStep, HadAHand; SayWhy without a reason. Rule: APP-9.
    """
    if not reason.strip():
        raise SayWhy(_("Please say why."))
    with transaction.atomic(durable=True):
        actor.stamp_transaction()
        application = _looked_at(application_id, seen)
        require_no_hand(application, reviewer.person_id)
        _require_no_proposal(application)
        move(application, Application.State.REJECTED, by=reviewer, at=at, reason=reason.strip())
        _record(application, "application.refuse", reason)
    return application


def propose(
    *,
    application_id: int,
    reviewer: User,
    risk_grade: int,
    reason: str,
    at: datetime,
    seen: int | None = None,
) -> Approval:
    """
    Pass the first review: propose to approve exactly the version that was submitted, at this risk
    grade. Another person, who had no hand in it either, decides within 14 days.

    Raises: NotFound, MovedOn, IllegalStep, HadAHand, AlreadyProposed, TakesNoChange; Incomplete
            when something is due (a licence that expired meanwhile, a product that this risk
            grade closes).
    Rule:   APP-5, APP-8, APP-10, APP-17.
    """
    with transaction.atomic(durable=True):
        actor.stamp_transaction()
        application = _looked_at(application_id, seen)
        require_no_hand(application, reviewer.person_id)
        if (
            application.state != Application.State.FIRST_REVIEW
            or application.first_reviewer_person_id != reviewer.person_id
        ):
            raise IllegalStep(
                _("Only who does the first review of %(number)s may propose to approve it.")
                % {"number": application.number}
            )
        _require_no_proposal(application)
        if application.concerns_id is not None:
            application_change.lock(application.concerns_id)
        application.risk_grade = RiskGrade(risk_grade)
        require_complete(application, at)
        approval = _proposal(application, maker=reviewer, reason=reason.strip(), at=at)
        application.approval = approval
        application.save(update_fields=["risk_grade", "approval"])
        _record(application, "application.propose", reason)
    return approval


def _looked_at(application_id: int, seen: int | None) -> Application:
    """Return the application, locked; `seen` is the last step that who decides has seen."""
    application = lock(application_id)
    if seen is not None:
        require_seen(application, seen)
    return application


def _proposal(application: Application, *, maker: User, reason: str, at: datetime) -> Approval:
    """Propose exactly the version that stands there; of a change also what was in force before."""
    version = latest_version(application)
    before: dict[str, Any] = {"state": str(application.state)}
    after: dict[str, Any] = {
        "state": str(Application.State.APPROVED),
        "application_id": application.id,
        "application": application.number,
        "name": application.name,
        "industry": application.industry_id,
        "risk_grade": int(applications.grade(application)),
        "contract_type": str(application.contract_type),
        "products": ", ".join(application.products),
        "version": version.number,
        "content_sha256": version.sha256,
    }
    if application.kind == Application.Kind.OPENING or application.concerns is None:
        after["account_number"] = application.account_masked
    else:
        was, becomes = application_change.proposal(applications.whole(application))
        before |= was
        after |= becomes
        after |= {"kind": application.kind, "merchant_no": application.concerns.merchant_no}
    opening = application.kind == Application.Kind.OPENING
    return approvals.propose(
        action=APPROVE if opening else application_change.CHANGE,
        merchant_id=application.merchant_id,
        subject=f"application:{application.number}",
        before=before,
        after=after,
        money_effect=None,
        reason=reason,
        maker=maker,
        at=at,
        expires_at=at + DECIDE_WITHIN,
    )


def _require_no_proposal(application: Application) -> None:
    proposal = application.approval
    if proposal is not None and proposal.state == Approval.State.PROPOSED:
        raise IllegalStep(
            _("A proposal to approve %(number)s waits for a checker; withdraw it first.")
            % {"number": application.number}
        )


def _record(application: Application, action: str, reason: str) -> None:
    audit.record(
        merchant_id=application.merchant_id,
        action=action,
        object_kind="application",
        object_id=application.number,
        after={"state": str(application.state), "version": application.version_no},
        note=reason,
    )
