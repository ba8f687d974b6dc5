"""Reading applications: one whole, its content as it is frozen, its twins."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from foundation import canonical
from foundation.models import User
from foundation.models.user import Mailbox, mailbox
from foundation.selectors.house import house_id as house_id
from merchants.models import (
    Application,
    ApplicationComment,
    ApplicationContact,
    ApplicationOwner,
    ApplicationSite,
    CarriedDocument,
    Document,
    Merchant,
    ProductGate,
    RiskGrade,
)
from merchants.selectors import agent as agents

# Fields of the form that are frozen as they are; secret numbers come masked and by keyed hash.
PLAIN: Final = (
    "name", "country", "registration_no", "licence_until", "licence_long_term", "region",
    "city", "address", "contract_type", "contract_until", "products", "filing_no", "filing_until",
    "schedule", "reviewed_by_whom", "settled_by_whom", "loss_borne_by", "account_kind",
    "account_holder", "bank_name", "bank_code", "currency", "agent_no",
)  # fmt: skip
# What of a merchant that is there has its own flow, and no change touches (APP-16).
OWN_FLOW: Final = frozenset(
    {"schedule", "account_kind", "account_number", "account_holder", "bank_name", "bank_code",
     "currency", "agent_no"}
)  # fmt: skip
# What the merchant's own row says of it.
OF_MERCHANT: Final = ("name", "registration_no", "country", "region", "city")
# What a list or a page never needs: bytes, ciphertext.
_HEAVY: Final = ("content", "preview")


@dataclass(frozen=True, slots=True)
class Whole:
    """An application with everything that belongs to it now."""

    application: Application
    owners: Sequence[ApplicationOwner]
    contacts: Sequence[ApplicationContact]
    sites: Sequence[ApplicationSite]
    documents: Sequence[Document]  # without their bytes, those taken off left out
    before: Mapping[str, Any] | None = None  # of a change: the content in force that it changes


def whole(application: Application) -> Whole:
    """
    Return the application with its parts, in four statements; of a change also what it changes, in
    at most seven more.
    """
    found = _parts(application)
    if application.kind == Application.Kind.OPENING:
        return found
    return replace(found, before=_in_force(application))


def is_contact(application: Application, persons: Iterable[UUID]) -> bool:
    """
    Return whether the application names a mailbox of one of these persons, under any of his
    accounts: he would be invited, or be told, as one of the merchant's own.
    """
    named = persons_of_contacts(application.merchant_id, application.id)
    return not named.isdisjoint(map(str, persons))


def persons_of_contacts(book: int, application_id: int) -> frozenset[str]:
    """Return the ids of the persons whose mailbox an application names, under any account."""
    contacts = ApplicationContact.objects.filter(merchant_id=book, application_id=application_id)
    named = {mailbox(email) for email in contacts.values_list("email", flat=True)} - {""}
    found = User.objects.alias(mailbox=Mailbox("email")).filter(mailbox__in=named)
    return frozenset(map(str, found.values_list("person_id", flat=True)))


def _parts(application: Application) -> Whole:
    mine = {"merchant_id": application.merchant_id, "application": application}
    documents = Document.objects.filter(**mine, removed_at=None)
    if application.kind != Application.Kind.OPENING:
        carried = CarriedDocument.objects.filter(**mine).values_list("document_id", flat=True)
        documents |= Document.objects.filter(
            merchant_id=application.merchant_id, id__in=list(carried), removed_at=None
        )
    return Whole(
        application,
        list(ApplicationOwner.objects.filter(**mine).order_by("line_no")),
        list(ApplicationContact.objects.filter(**mine).order_by("line_no")),
        list(ApplicationSite.objects.filter(**mine).order_by("line_no")),
        list(documents.defer(*_HEAVY).order_by("id")),
    )


def _in_force(application: Application) -> Mapping[str, Any]:
    """
    Return the content that a change began from, as it is frozen: that of the application approved
    before, or the little that is known of a merchant that a file brought in.
    """
    merchant, base = application.concerns, application.base
    if base is None:
        return {name: getattr(merchant, name) for name in OF_MERCHANT}
    frozen: dict[str, Any] = json.loads(canonical.encode(content(_parts(base))))
    return frozen


def of_merchant(merchant: Merchant) -> Application | None:
    """Return the application whose content is in force; None while a merchant has none."""
    if merchant.stands_on is None:
        return None
    found = Application.objects.filter(merchant_id=house_id(), id=merchant.stands_on)
    return found.select_related("industry").defer("account_number").first()


def in_force(merchant_ids: Iterable[int]) -> dict[int, int]:
    """Return, by application, the merchants whose content is in force by it."""
    found = Merchant.objects.filter(id__in=list(merchant_ids), stands_on__isnull=False)
    return {int(one or 0): merchant for one, merchant in found.values_list("stands_on", "id")}


def merchant_of(application: Application) -> Merchant | None:
    """Return the merchant an application made or concerns; None while it made none."""
    return application.became or application.concerns


def content(of: Whole) -> dict[str, Any]:
    """Return what is frozen when it is submitted; the same content is always the same value."""
    row = of.application
    return {
        "number": row.number,
        "brought_by": str(row.brought_by_id),
        "industry": row.industry_id or "",
        **{name: getattr(row, name) for name in PLAIN},
        "account_number": _secret(row.account_masked, row.account_hash),
        "owners": [
            {
                "line_no": owner.line_no,
                "through_no": owner.through_no,
                "kind": owner.kind,
                "name": owner.name,
                "share_percent": owner.share_percent,
                "identity_kind": owner.identity_kind,
                "identity_no": _secret(owner.identity_masked, owner.identity_hash),
                "identity_until": owner.identity_until,
                "identity_long_term": owner.identity_long_term,
                "legal_representative": owner.legal_representative,
                "source_of_funds": owner.source_of_funds,
            }
            for owner in of.owners
        ],
        "contacts": [
            {
                "line_no": contact.line_no,
                "role": contact.role,
                "name": contact.name,
                "email": contact.email,
                "phone": _secret(contact.phone_masked, contact.phone_hash),
            }
            for contact in of.contacts
        ],
        "sites": [
            {
                "line_no": s.line_no,
                "kind": s.kind,
                "name": s.name,
                "place": s.place,
                "filing_no": s.filing_no,
            }
            for s in of.sites
        ],
        "documents": [
            {
                "kind": d.kind,
                "file_name": d.file_name,
                "content_type": d.content_type,
                "size_bytes": d.size_bytes,
                "sha256": d.sha256,
            }
            for d in of.documents
        ],
    }


def agent_chain(application: Application) -> list[agents.Link]:
    """Return the agent an application names and those above it now, from itself up."""
    found = agents.by_number(application.agent_no) if application.agent_no else None
    return [] if found is None else agents.chain(found.pk)


def grade(application: Application) -> RiskGrade:
    """Return the risk grade that counts: the industry's or the applicant's own, the higher."""
    industry = application.industry
    return RiskGrade(max(application.risk_grade, industry.risk_grade if industry else 1))


def refused_products(application: Application) -> list[ProductGate | str]:
    """Return which products asked for are not for this applicant (S1-11 to S1-14)."""
    gates = ProductGate.objects.in_bulk(application.products)
    refused: list[ProductGate | str] = []
    for code in application.products:
        gate = gates.get(code)
        if (
            gate is None
            or gate.max_risk_grade < grade(application)
            or application.contract_type not in gate.contract_types
        ):
            refused.append(gate or code)
    return refused


def product_names(application: Application) -> list[str]:
    """Return the products asked for by their names in the reader's language."""
    return [str(gate) for gate in ProductGate.objects.filter(code__in=application.products)]


def needs_filing(application: Application) -> bool:
    """Return whether a product asked for needs a licence or filing number of its own."""
    return ProductGate.objects.filter(code__in=application.products, needs_filing=True).exists()


def comments(
    application: Application, *, every: bool = False
) -> Mapping[str, list[ApplicationComment]]:
    """Return what reviewers say, by field: about the latest version, or about `every` one."""
    found: dict[str, list[ApplicationComment]] = {}
    rows = ApplicationComment.objects.filter(
        merchant_id=application.merchant_id, application=application
    )
    if not every:
        rows = rows.filter(version_no=application.version_no)
    for comment in rows.select_related("author__person").order_by("id"):
        found.setdefault(comment.field, []).append(comment)
    return found


def _secret(masked: str, hashed: bytes | memoryview | None) -> dict[str, str] | None:
    return None if hashed is None else {"masked": masked, "keyed_hash": bytes(hashed).hex()}
