"""A merchant that is there changes or is reviewed again: begun, proposed, put in force."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from config.errors import DomainError, NotFound
from foundation import actor, clock
from foundation.models import User
from foundation.services import audit
from merchants.models import (
    Application,
    ApplicationContact,
    ApplicationOwner,
    ApplicationSite,
    CarriedDocument,
    Document,
    Merchant,
    MerchantContact,
)
from merchants.selectors import application as applications
from merchants.selectors import application_change as selectors
from merchants.selectors.application import Whole
from merchants.services.application import create

KINDS: Final = (Application.Kind.CHANGE, Application.Kind.REVIEW)
CHANGE: Final = "merchants.application_change"
_MOST_CONTACTS: Final = 30  # as many as the form has lines
_CONTENT: Final = (
    "licence_until", "licence_long_term", "industry_id", "address", "contract_type",
    "contract_until", "products", "filing_no", "filing_until", "reviewed_by_whom",
    "settled_by_whom", "loss_borne_by", "risk_grade",
)  # fmt: skip
_ALWAYS: Final = frozenset({"industry", "contract_type", "products"})  # in every proposal
_PARTS: Final = (ApplicationOwner, ApplicationContact, ApplicationSite)


class TakesNoChange(DomainError):
    """The merchant is being closed, or is closed: nothing of it changes any more."""

    code = "merchant_takes_no_change"


class AlreadyChanging(DomainError):
    """A change or a review of the merchant is under way; there is one at a time."""

    code = "merchant_already_changing"


def begin(*, merchant_id: int, kind: str, maker: User, at: datetime) -> Application:
    """
    Begin a change or a review of a merchant: a draft with what is in force, its papers by
    reference, those that have expired left out.

    Raises: NotFound, TakesNoChange, AlreadyChanging; ValueError for another kind.
    Rule:   APP-15 (docs/rules/applications.md).
    """
    if kind not in KINDS:
        raise ValueError(f"not a change of a merchant: {kind}")
    with transaction.atomic(durable=True):
        actor.stamp_transaction()
        merchant = lock(merchant_id)
        there = selectors.open_change(merchant)
        if there is not None:
            raise AlreadyChanging(
                _("%(number)s is under way for %(merchant)s; there is one at a time.")
                % {"number": there.number, "merchant": merchant.merchant_no}
            )
        base = applications.of_merchant(merchant)
        content = {} if base is None else {name: getattr(base, name) for name in _CONTENT}
        content |= {name: getattr(merchant, name) for name in applications.OF_MERCHANT}
        application = create(
            maker=maker, brought_by=maker, at=at, kind=kind, concerns=merchant, base=base,
            schedule=merchant.declared_schedule, **content,
        )  # fmt: skip
        if base is None:
            _take_contacts(application, merchant)
        else:
            _take_parts(application, base)
            _carry(application, base, today=clock.business_date(at))
    return application


def lock(merchant_id: int) -> Merchant:
    """
    Return a merchant that may change, locked until the transaction ends: a freeze or closing that
    is decided meanwhile waits, or was first.

    Raises: NotFound, TakesNoChange. Rule: APP-15, APP-20.
    """
    found = Merchant.objects.select_for_update(no_key=True).filter(
        id=merchant_id, kind=Merchant.Kind.MERCHANT
    )
    merchant = found.first()
    if merchant is None:
        raise NotFound(_("There is no such merchant."))
    if merchant.status not in selectors.CHANGEABLE:
        raise TakesNoChange(
            _("Merchant %(number)s is %(state)s and takes no changes.")
            % {"number": merchant.merchant_no, "state": merchant.get_status_display()}
        )
    return merchant


def proposal(of: Whole) -> tuple[dict[str, Any], dict[str, Any]]:
    """
    Return what a proposal to approve a change says: what is in force and what shall be, field by
    field and line by line, and what follows. Rule: APP-17, APP-18.
    """
    row, merchant, follows = of.application, of.application.concerns, selectors.follows(of)
    if merchant is None or of.before is None or follows is None:
        raise ValueError(f"{row.number} concerns no merchant")
    now, names = selectors.frozen(of), selectors.changed(of)
    before: dict[str, Any] = {"name": merchant.name, "registration_no": merchant.registration_no}
    after: dict[str, Any] = {"name": row.name, "registration_no": row.registration_no}
    for name in sorted(names | _ALWAYS):
        if name in selectors.PARTS:
            before[name], after[name] = (selectors.lines(c, name) for c in (of.before, now))
        elif name == "documents":
            before[name], after[name] = (_papers(c) for c in (of.before, now))
        else:
            before[name], after[name] = (_text(c.get(name)) for c in (of.before, now))
    if row.base is not None:
        before["risk_grade"] = int(applications.grade(row.base))
    if follows.falls_away:
        after["falls_away"] = ", ".join(follows.falls_away)
    if follows.owners_matter:
        after["portal_owner"] = follows.owners
    if follows.other_holder:
        after["accounts_in_the_former_name"] = follows.other_holder
    if follows.conflicts:
        after["does_not_fit_any_more"] = follows.conflicts
    return before, after


def put_in_force(application: Application, merchant: Merchant) -> None:
    """
    Let a merchant stand on an application that was just approved: the only code that writes what a
    merchant is called. The database compares the two. Rule: APP-18.
    """
    for name in applications.OF_MERCHANT:
        setattr(merchant, name, getattr(application, name))
    merchant.stands_on = application.id
    merchant.save(update_fields=[*applications.OF_MERCHANT, "stands_on"])


def leave_out(application: Application, document_id: int) -> Document | None:
    """Leave a carried paper out of an open change, locked; None when it carries no such paper."""
    carried = CarriedDocument.objects.filter(
        merchant_id=application.merchant_id, application=application, document_id=document_id
    ).first()
    if carried is None:
        return None
    document = Document.objects.defer("content", "preview").get(
        merchant_id=application.merchant_id, id=document_id
    )
    carried.delete()
    audit.record(
        merchant_id=application.merchant_id,
        action="document.leave_out",
        object_kind="application",
        object_id=application.number,
        after={"document": document.id, "kind": document.kind, "sha256": document.sha256},
    )
    return document


def _take_parts(application: Application, base: Application) -> None:
    """Copy owners, contacts and sites line by line; secret numbers are encrypted anew."""
    for model in _PARTS:
        for row in model.objects.filter(merchant_id=base.merchant_id, application=base).order_by(
            "line_no"
        ):
            _copy(model, row, application)


def _copy(model: Any, row: Any, application: Application) -> None:
    taken = {
        field.attname: getattr(row, field.attname)
        for field in model._meta.concrete_fields
        if field.name not in ("id", "uuid", "merchant", "application")
    }
    model.objects.create(merchant_id=application.merchant_id, application=application, **taken)


def _take_contacts(application: Application, merchant: Merchant) -> None:
    """
    Enter the contacts that sheets brought for a merchant without an application, owners first. They
    count as new: nobody has approved them yet.
    """
    active = MerchantContact.objects.filter(merchant=merchant, active=True)
    rows = sorted(active.order_by("id")[:200], key=lambda row: row.role != "OWNER")
    for line_no, row in enumerate(rows[:_MOST_CONTACTS], 1):
        ApplicationContact.objects.create(
            merchant_id=application.merchant_id,
            application=application,
            line_no=line_no,
            role=row.role,
            name=row.name,
            email=row.email,
            phone=row.phone,
            phone_hash=row.phone_hash,
            phone_masked=row.phone_masked,
        )


def _carry(application: Application, base: Application, *, today: date) -> None:
    """Take over the papers of before by reference, but those that are not valid any more."""
    whole, card = applications.whole(base), None
    for owner in whole.owners:
        card = owner.identity_until if owner.legal_representative else card
    ends = {
        Document.Kind.LICENCE: base.licence_until,
        Document.Kind.CONTRACT: base.contract_until,
        Document.Kind.FILING: base.filing_until,
        Document.Kind.IDENTITY_FRONT: card,
        Document.Kind.IDENTITY_BACK: card,
    }
    expired = {kind for kind, until in ends.items() if until is not None and until < today}
    left_out = selectors.NOT_CARRIED | expired
    CarriedDocument.objects.bulk_create(
        CarriedDocument(
            merchant_id=application.merchant_id, application=application, document=document
        )
        for document in whole.documents
        if document.kind not in left_out
    )


def _papers(content: Any) -> list[str]:
    papers = [d for d in content.get("documents", ()) if d["kind"] not in selectors.NOT_CARRIED]
    return [f"{d['kind']} {d['file_name']} {d['sha256'][:12]}" for d in papers]


def _text(value: Any) -> str:
    return ", ".join(sorted(value)) if isinstance(value, list) else str(value or "")
