"""What an approved application does: a merchant with its account, its evidence, its news."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from foundation import actor, canonical, clock, crypto, registries, sql
from foundation.models import Approval, ApprovalDecision, User
from foundation.registries import ApprovalAction, Risk
from foundation.services import audit
from merchants.models import (
    Application,
    ApplicationComment,
    ApplicationContact,
    ApplicationEvidence,
    ApplicationTransition,
    ContractType,
    Merchant,
    ProductGate,
)
from merchants.selectors import application as applications
from merchants.selectors import application_change as changes
from merchants.selectors import membership as memberships
from merchants.selectors.application import Whole
from merchants.services import agent as agents
from merchants.services import application_change, application_review
from merchants.services import bank_account as bank_accounts
from merchants.services import merchant_contact as merchant_contacts
from merchants.services import paper as papers
from merchants.services.application import latest_version, require_complete
from merchants.services.application_step import IllegalStep, lock, move, require_no_hand

# Lifecycle events: a new merchant is there; a merchant has other content, or was reviewed again.
APPROVED: Final = "merchant.approved"
CHANGED: Final = "merchant.changed"
_NUMBER_TRIES: Final = 100


@dataclass(frozen=True, slots=True)
class OwnerContact:
    """Whom to invite to the portal; its repr shows nothing, so that no log does."""

    name: str = field(repr=False)
    email: str = field(repr=False)


def apply(approval: Approval, at: datetime) -> None:
    """
    Put an approved application in force, in the transaction that approves it; then announce it.

    An opening makes a merchant: its row and number, its bank account (not verified); on
    `merchant.approved` its accounts, its schedule and its owner's invitation come. A change gives
    the merchant it concerns its new content, and no other state; it announces `merchant.changed`.

    Raises: IllegalStep, HadAHand, Incomplete, InvitationMalformed, TakesNoChange.
    Rule:   APP-5, APP-10, APP-11, APP-18 (docs/rules/applications.md).
    """
    actor.stamp_transaction()
    application = lock(approval.after["application_id"])
    decisions = _decisions(approval)
    for decision in decisions:
        require_no_hand(application, decision.checker_person_id, decision.authority_person)
    if not _is_as_proposed(application, approval):
        raise IllegalStep(
            _("Application %(number)s is not what was proposed.") % {"number": application.number}
        )
    second = decisions[-1].checker
    of = applications.whole(application)
    if application.kind == Application.Kind.OPENING:
        require_complete(application, at)
        merchant = _open_merchant(application, at)
        _approve(application, second, at, became=merchant)
    else:
        merchant = application_change.lock(int(application.concerns_id or 0))
        require_complete(application, at)
        _approve(application, second, at)
    _take_effect(of, approval, merchant, at)
    payload = {
        "currency": application.currency,
        "holds_funds": application.contract_type == ContractType.FUNDS_HELD,
        "approved_by": second,
        "at": at,
    }
    if application.kind == Application.Kind.OPENING:
        payload |= {"schedule": application.schedule, "owner": _owner(application)}
        registries.announce(APPROVED, merchant_ids=[merchant.id], payload=payload)
    else:
        payload |= {"application": application.number, "changed": sorted(changes.changed(of))}
        registries.announce(CHANGED, merchant_ids=[merchant.id], payload=payload)


def _take_effect(of: Whole, approval: Approval, merchant: Merchant, at: datetime) -> None:
    """
    Let a merchant stand on its approved application: the one place for openings and changes alike.
    """
    application_change.put_in_force(of.application, merchant)
    papers.take_up(of.application, merchant=merchant, at=at)
    merchant_contacts.take_over(of, merchant_id=merchant.id, at=at)
    _record(of.application, merchant, _keep_evidence(of.application, approval, merchant, at))


def refused(approval: Approval, at: datetime) -> None:
    """Let the first reviewer go on: the application waits in first review, without a proposal."""
    actor.stamp_transaction()
    application = lock(approval.after["application_id"])
    if application.approval_id == approval.id:
        application.approval = None
        application.save(update_fields=["approval"])


def describe(approval: Approval) -> str:
    """Say the proposal in one sentence."""
    if approval.action == application_review.APPROVE:
        said = _("Take on %(name)s as a merchant (%(number)s)")
    elif approval.after["kind"] == Application.Kind.CHANGE:
        said = _("Change merchant %(merchant)s %(name)s (%(number)s)")
    else:
        said = _("Keep merchant %(merchant)s %(name)s after its re-review (%(number)s)")
    return said % {
        "name": approval.after["name"],
        "number": approval.after["application"],
        "merchant": approval.after.get("merchant_no", ""),
    }


def _page(approval: Approval) -> str:
    return reverse("admin:merchants_application_change", args=[approval.after["application_id"]])


def _insiders(approval: Approval) -> frozenset[str]:
    """
    Return whom the application names as a contact, and who acts for the merchant that it changes;
    the proposal itself lies in the house's book (AP-12, APP-21).
    """
    contacts = applications.persons_of_contacts(
        approval.merchant_id, approval.after["application_id"]
    )
    found = Merchant.objects.filter(merchant_no=approval.after.get("merchant_no"))
    return contacts | memberships.insiders(found.values_list("id", flat=True))


ACTIONS: Final = (
    ApprovalAction(
        application_review.APPROVE,
        apply,
        describe,
        refuse=refused,
        permission="merchants.approve_application",
        title=gettext_lazy("New merchant"),
        risk=Risk.HIGH,
        gains=_insiders,
        page=_page,
        says=changes.says,
    ),
    ApprovalAction(
        application_change.CHANGE,
        apply,
        describe,
        refuse=refused,
        permission="merchants.approve_application",
        title=gettext_lazy("Change or re-review of a merchant"),
        risk=Risk.HIGH,
        gains=_insiders,
        page=_page,
        says=changes.says,
    ),
)


def _is_as_proposed(application: Application, approval: Approval) -> bool:
    """
    Return whether an application still waits for this proposal, with the version, risk grade and
    account number that were shown. The cipher of the number may change (keys rotate), so it is
    compared by its look-up hash, which may not.
    """
    number = application.account_number
    shown = None if application.account_hash is None else bytes(application.account_hash)
    return (
        application.state == Application.State.FIRST_REVIEW
        and application.approval_id == approval.id
        and latest_version(application).sha256 == approval.after["content_sha256"]
        and applications.grade(application) == approval.after["risk_grade"]
        and (None if number is None else crypto.lookup_hash(str(number))) == shown
    )


def _decisions(approval: Approval) -> list[ApprovalDecision]:
    found = ApprovalDecision.objects.filter(
        merchant_id=approval.merchant_id, approval=approval, approves=True
    )
    return list(found.select_related("checker").order_by("decided_at", "id"))


def _open_merchant(application: Application, at: datetime) -> Merchant:
    """Make the merchant of an opening, with the account it is to be paid to, not verified yet."""
    row_id, number = _next_number(at)
    merchant = Merchant.objects.create(
        id=row_id,
        merchant_no=number,
        name=application.name,
        registration_no=application.registration_no,
        city=application.city,
        region=application.region,
        country=application.country,
        declared_schedule=application.schedule,
        agent=agents.bringing(application.agent_no, field="agent_no", lock=True)
        if application.agent_no
        else None,
        created_at=at,
    )
    if application.contract_type == ContractType.FUNDS_HELD:
        bank_accounts.add(
            merchant_id=merchant.id,
            number=str(application.account_number),
            holder=application.account_holder,
            bank_name=application.bank_name,
            bank_code=application.bank_code,
            currency=application.currency,
            at=at,
        )
    return merchant


def _next_number(at: datetime) -> tuple[int, str]:
    """Return a routing number and the readable number made of it that nobody has."""
    for _try in range(_NUMBER_TRIES):
        row_id = int(
            sql.rows("SELECT nextval(pg_get_serial_sequence('merchants_merchant', 'id')) AS id")[0][
                "id"
            ]
        )
        number = f"M{clock.business_date(at):%y%m}{row_id:07d}"
        if not Merchant.objects.filter(merchant_no=number).exists():
            return row_id, number
    raise LookupError("no merchant number is free")


def _approve(application: Application, second: User, at: datetime, **fields: Any) -> None:
    move(
        application,
        Application.State.APPROVED,
        by=second,
        at=at,
        second_reviewer=second,
        second_reviewer_person_id=second.person_id,
        **fields,
    )


def _owner(application: Application) -> OwnerContact | None:
    contacts = ApplicationContact.objects.filter(
        merchant_id=application.merchant_id,
        application=application,
        role=ApplicationContact.Role.OWNER,
    )
    contact = contacts.exclude(email="").order_by("line_no").first()
    return None if contact is None else OwnerContact(contact.name, contact.email)


def _keep_evidence(
    application: Application, approval: Approval, merchant: Merchant, at: datetime
) -> ApplicationEvidence:
    """Freeze everything that led here: content, steps, comments, decisions, gates then in force."""
    mine = {"merchant_id": application.merchant_id, "application": application}
    version = latest_version(application)
    content = _history(application, mine) | _judgement(application, approval)
    content |= {
        "application": application.number,
        "kind": str(application.kind),
        "base": "" if application.base is None else application.base.number,
        "merchant_no": merchant.merchant_no,
        "version": {
            "number": version.number,
            "sha256": version.sha256,
            "content": json.loads(version.content),
        },
    }
    frozen = canonical.encode(content)
    return ApplicationEvidence.objects.create(
        **mine, content=frozen.decode(), sha256=hashlib.sha256(frozen).hexdigest(), made_at=at
    )


def _history(application: Application, mine: dict[str, Any]) -> dict[str, Any]:
    """Return who had a hand in it, every step and every comment."""
    return {
        "entered_by": str(application.entered_by_id),
        "brought_by": str(application.brought_by_id),
        "agent": [link.number for link in applications.agent_chain(application)],
        "makers": [str(person) for person in application.makers],
        "steps": [
            {
                "from": step.from_state, "to": step.to_state, "by": str(step.user_id),
                "at": _utc(step.at), "reason": step.reason, "request_id": step.request_id,
            }
            for step in ApplicationTransition.objects.filter(**mine).order_by("sequence")
        ],
        "comments": [
            {"version": c.version_no, "field": c.field, "text": c.text, "by": str(c.author_id),
             "at": _utc(c.at)}
            for c in ApplicationComment.objects.filter(**mine).order_by("id")
        ],
    }  # fmt: skip


def _judgement(application: Application, approval: Approval) -> dict[str, Any]:
    """Return the proposal with its decisions, and the gates now in force."""
    return {
        "approval": {
            "content_sha256": approval.content_sha256,
            "before": approval.before,
            "proposed": approval.after,
            "by": str(approval.maker_id),
            "reason": approval.reason,
            "decisions": [
                {"by": str(d.checker_id), "at": _utc(d.decided_at), "reason": d.reason}
                for d in _decisions(approval)
            ],
        },
        "gates": {
            "industry": application.industry_id or "",
            "industry_grade": application.industry.risk_grade if application.industry else 0,
            "applicant_grade": application.risk_grade,
            "products": {
                gate.code: {
                    "max_risk_grade": gate.max_risk_grade,
                    "contract_types": list(gate.contract_types),
                    "needs_filing": gate.needs_filing,
                }
                for gate in ProductGate.objects.filter(code__in=application.products)
            },
        },
    }


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()


def _record(application: Application, merchant: Merchant, evidence: ApplicationEvidence) -> None:
    for merchant_id, kind, name in (
        (application.merchant_id, "application", application.number),
        (merchant.id, "merchant", merchant.merchant_no),
    ):
        audit.record(
            merchant_id=merchant_id,
            action="application.approve",
            object_kind=kind,
            object_id=name,
            after={
                "application": application.number,
                "merchant_no": merchant.merchant_no,
                "evidence_sha256": evidence.sha256,
            },
        )
