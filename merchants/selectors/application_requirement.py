"""What an application still lacks: what is due, by when, and what follows if it does not come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _

from merchants.models import ApplicationOwner, ContractType, Document, ProductGate
from merchants.models.agent import AgentState
from merchants.models.application import Application
from merchants.models.industry import SAME_DAY, SAME_DAY_PRODUCT
from merchants.selectors import agent as agents
from merchants.selectors import application as applications
from merchants.selectors import application_change
from merchants.selectors.application import Whole

WARN_AHEAD: Final = timedelta(days=60)
BENEFICIAL_PERCENT: Final = 25  # who holds as much, through others too, must be known
# Which paper proves which field, when a merchant that is there changes it.
_PROVED_BY: Final = (
    ("name", Document.Kind.LICENCE),
    ("registration_no", Document.Kind.LICENCE),
    ("licence_until", Document.Kind.LICENCE),
    ("licence_long_term", Document.Kind.LICENCE),
    ("contract_type", Document.Kind.CONTRACT),
    ("contract_until", Document.Kind.CONTRACT),
    ("filing_no", Document.Kind.FILING),
    ("filing_until", Document.Kind.FILING),
)
Owner = ApplicationOwner
Kind = Document.Kind


@dataclass(frozen=True, slots=True)
class Requirement:
    """
    One thing that is due. `path` is the field of the form it stands beside; a `blocking` one keeps
    the application from being submitted or approved.
    """

    path: str
    title: str
    consequence: str
    due_date: date | None = None
    blocking: bool = True


def requirements(of: Whole, *, today: date) -> list[Requirement]:
    """
    Return everything that is due now, in the order of the form. Rule: APP-4
    (docs/rules/applications.md).
    """
    return [
        *_merchant(of),
        *_profile(of),
        *_licence(of, today),
        *_contract(of, today),
        *_agent(of.application),
        *_products(of),
        *_same_day(of.application),
        *_account(of),
        *_owners(of.owners, today),
        *_people_and_places(of),
        *_papers(of),
        *_fresh_papers(of),
        *_deadline(of.application),
    ]


def effective_share(owner: Owner, by_line: dict[int, Owner]) -> Decimal:
    """Return what an owner holds of the applicant itself, in percent, through companies too."""
    share = owner.share_percent or Decimal(0)
    step = owner
    while step.through_no is not None and step.through_no in by_line:
        step = by_line[step.through_no]
        share = share * (step.share_percent or Decimal(0)) / 100
    return share


def _label(name: str) -> str:
    field: Any = Application._meta.get_field(name)
    return str(field.verbose_name)


def _missing(path: str, title: str) -> Requirement:
    return Requirement(path, title, _("Cannot be submitted without it."))


def _merchant(of: Whole) -> Iterator[Requirement]:
    """Of a change: that its merchant is not being closed, and that something changes (APP-15)."""
    merchant = of.application.concerns
    if merchant is None:
        return
    if merchant.status not in application_change.CHANGEABLE:
        yield Requirement(
            "",
            _("Merchant %(number)s is %(state)s and takes no changes.")
            % {"number": merchant.merchant_no, "state": merchant.get_status_display()},
            _("Cannot be submitted or approved."),
        )
    if of.application.kind == Application.Kind.CHANGE and not application_change.changed(of):
        yield Requirement(
            "",
            _("Nothing is changed yet."),
            _("Cannot be submitted: only a re-review may stay as it is."),
        )


def _profile(of: Whole) -> Iterator[Requirement]:
    row = of.application
    needed = [
        "name", "registration_no", "region", "city", "address", "contract_type",
        "reviewed_by_whom", "settled_by_whom", "loss_borne_by",
    ]  # fmt: skip
    for name in needed:
        if not getattr(row, name):
            yield _missing(name, _("Missing: %(what)s") % {"what": _label(name)})
    if row.industry is None:
        yield _missing("industry", _("Choose an industry."))
    elif row.industry.forbidden:
        yield Requirement(
            "industry",
            _("We serve no merchants of this industry: %(industry)s.") % {"industry": row.industry},
            _("Cannot be submitted or approved."),
        )


def _licence(of: Whole, today: date) -> Iterator[Requirement]:
    row = of.application
    if row.licence_until is None and not row.licence_long_term:
        yield _missing("licence_until", _("Say until when the licence is valid."))
    else:
        yield from _ends(
            "licence_until",
            row.licence_until,
            today,
            _("The licence has expired."),
            _("The licence expires soon; ask for the new one."),
        )


def _ends(
    path: str, until: date | None, today: date, over: str, soon: str
) -> Iterator[Requirement]:
    """Refuse a paper whose last day is past, and warn of one whose day is near."""
    if until is None:
        return
    if until < today:
        yield Requirement(path, over, _("Cannot be submitted or approved."), until)
    elif until <= today + WARN_AHEAD:
        yield Requirement(
            path, soon, _("Cannot be approved after that day."), until, blocking=False
        )


def _contract(of: Whole, today: date) -> Iterator[Requirement]:
    row = of.application
    yield from _ends(
        "contract_until",
        row.contract_until,
        today,
        _("The contract has ended."),
        _("The contract ends soon; sign the next one."),
    )
    yield from _ends(
        "filing_until",
        row.filing_until,
        today,
        _("The prepaid licence or filing has expired."),
        _("The prepaid licence or filing expires soon; ask for the new one."),
    )


def _agent(row: Application) -> Iterator[Requirement]:
    """An agent that was stopped meanwhile brings nobody (AGT-5)."""
    found = agents.by_number(row.agent_no) if row.agent_no else None
    if row.agent_no and (found is None or found.state != AgentState.ACTIVE):
        title = _("Agent %(number)s brings no merchants.") % {"number": row.agent_no}
        yield Requirement("agent_no", title, _("Cannot be submitted with it."))


def _products(of: Whole) -> Iterator[Requirement]:
    row = of.application
    if not row.products:
        yield _missing("products", _("Choose at least one product."))
    if row.industry is None or not row.contract_type:
        return
    for product in applications.refused_products(row):
        yield Requirement(
            "products",
            _("%(product)s is not for this risk grade (%(grade)s) and contract.")
            % {"product": product, "grade": applications.grade(row).label},
            _("Cannot be submitted or approved."),
        )
    if applications.needs_filing(row):
        if not row.filing_no:
            yield _missing(
                "filing_no", _("Prepaid cards need the issuer's licence or filing number.")
            )
        if not any(d.kind == Kind.FILING for d in of.documents):
            yield _missing("documents.FILING", _("Upload the prepaid licence or filing."))


def _same_day(row: Application) -> Iterator[Requirement]:
    """A schedule that advances money is asked for as a product, whose gate then counts (APP-8)."""
    opening = row.kind == Application.Kind.OPENING  # what is there has its schedule already
    if opening and row.schedule in SAME_DAY and SAME_DAY_PRODUCT not in row.products:
        gate = ProductGate.objects.get(code=SAME_DAY_PRODUCT)
        yield Requirement(
            "schedule",
            _("%(schedule)s goes with the product %(product)s: ask for it, or settle later.")
            % {"schedule": row.schedule, "product": gate},
            _("Cannot be submitted or approved."),
        )


def _account(of: Whole) -> Iterator[Requirement]:
    row = of.application
    opening = row.kind == Application.Kind.OPENING  # afterwards the account has its own flow
    if row.contract_type != ContractType.FUNDS_HELD or not opening:
        return
    if row.account_hash is None:
        yield _missing("account_number", _("Say where the money is to be paid to."))
    for name in ("account_holder", "bank_name"):
        if not getattr(row, name):
            yield _missing(name, _("Missing: %(what)s") % {"what": _label(name)})


def _owners(owners: object, today: date) -> Iterator[Requirement]:
    rows = list(owners)  # type: ignore[call-overload]
    by_line = {owner.line_no: owner for owner in rows}
    named = [owner.share_percent or Decimal(0) for owner in rows if owner.through_no is None]
    direct = sum(named, Decimal(0))
    if direct <= 100 - BENEFICIAL_PERCENT:
        yield _missing(
            "owners",
            _("The owners named hold %(share)s %%; one with %(least)s %% or more may be missing.")
            % {"share": _percent(direct), "least": BENEFICIAL_PERCENT},
        )
    if sum(owner.legal_representative for owner in rows) != 1:
        yield _missing("owners", _("Mark one person as the legal representative."))
    for owner in rows:
        yield from _owner(owner, by_line, rows, today)


def _owner(
    owner: Owner, by_line: dict[int, Owner], rows: list[Owner], today: date
) -> Iterator[Requirement]:
    path = f"owners.{owner.line_no}"
    matters = effective_share(owner, by_line) >= BENEFICIAL_PERCENT
    if owner.kind == Owner.Kind.COMPANY:
        if owner.identity_hash is None:
            yield _missing(f"{path}.identity_no", _("Give the company's registration number."))
        yield from _behind(owner, by_line, rows)
        return
    if owner.identity_hash is None and (matters or owner.legal_representative):
        yield _missing(f"{path}.identity_no", _("Give the identity number."))
    if _unborn(owner, today):
        yield _missing(
            f"{path}.identity_no",
            _("The identity number names a day of birth that is yet to come."),
        )
    if matters and not owner.source_of_funds:
        yield _missing(f"{path}.source_of_funds", _("Say where the owner's money comes from."))
    if not matters and not owner.legal_representative:
        return
    if owner.identity_until is None and not owner.identity_long_term:
        yield _missing(
            f"{path}.identity_until", _("Say until when the identity document is valid.")
        )
    yield from _ends(
        f"{path}.identity_until",
        owner.identity_until,
        today,
        _("The identity document has expired."),
        _("The identity document expires soon; ask for the new one."),
    )


def _behind(company: Owner, by_line: dict[int, Owner], rows: list[Owner]) -> Iterator[Requirement]:
    """Ask for the owners of a company while one of them may hold 25 % of the applicant unnamed."""
    theirs = [row.share_percent or Decimal(0) for row in rows if row.through_no == company.line_no]
    unnamed = effective_share(company, by_line) * (100 - sum(theirs)) / 100
    if unnamed < BENEFICIAL_PERCENT:
        return
    path, said = f"owners.{company.line_no}.name", {"company": company.name}
    if theirs:
        yield _missing(
            path,
            _("%(company)s: owners not named yet hold %(share)s %% of the applicant; name them.")
            % {**said, "share": _percent(unnamed)},
        )
    else:
        yield _missing(
            path,
            _("%(company)s holds %(least)s %% or more: name its owners too.")
            % {**said, "least": BENEFICIAL_PERCENT},
        )


def _percent(share: Decimal) -> str:
    """Return a share as people write it: 60, 37.5."""
    return f"{share.quantize(Decimal('0.01')).normalize():f}"


def _unborn(owner: Owner, today: date) -> bool:
    """Return whether a resident's identity number (GB 11643) names a day after today."""
    number = owner.identity_no or ""
    return owner.identity_kind == Owner.Identity.RESIDENT and number[6:14] > f"{today:%Y%m%d}"


def _people_and_places(of: Whole) -> Iterator[Requirement]:
    contacts = [c for c in of.contacts if c.role == c.Role.OWNER and c.email and c.phone_hash]
    if not contacts:
        yield _missing(
            "contacts", _("Name the owner's contact with e-mail and phone: the portal is theirs.")
        )
    if not of.sites:
        yield _missing("sites", _("Name at least one shop, website or app."))


def _papers(of: Whole) -> Iterator[Requirement]:
    needed = [Kind.LICENCE, Kind.IDENTITY_FRONT, Kind.IDENTITY_BACK]
    opening = of.application.kind == Application.Kind.OPENING
    if of.application.contract_type == ContractType.FUNDS_HELD and opening:
        needed.append(Kind.BANK_CARD)
    if any(site.kind == site.Kind.SHOP for site in of.sites):
        needed.append(Kind.SITE_PHOTO)
    there = {document.kind for document in of.documents}
    for kind in needed:
        if kind not in there:
            yield _missing(f"documents.{kind}", _("Upload: %(paper)s") % {"paper": kind.label})


def _fresh_papers(of: Whole) -> Iterator[Requirement]:
    """What changes is proved by a paper that was not there before (APP-17)."""
    if of.before is None or of.application.base_id is None:
        return
    names = application_change.changed(of)
    kinds = [kind for name, kind in _PROVED_BY if name in names and getattr(of.application, name)]
    if _representative(of.before) != _representative(application_change.frozen(of)):
        kinds += [Kind.IDENTITY_FRONT, Kind.IDENTITY_BACK]
    known = {(one["kind"], one["sha256"]) for one in of.before["documents"]}
    new = {one.kind for one in of.documents if (one.kind, one.sha256) not in known}
    for kind in dict.fromkeys(kinds):
        if kind not in new:
            yield _missing(
                f"documents.{kind}",
                _("What changes needs a new paper: %(paper)s") % {"paper": kind.label},
            )


def _representative(content: Mapping[str, Any]) -> list[Any]:
    return [
        (one["name"], one["identity_no"], one["identity_until"], one["identity_long_term"])
        for one in content["owners"]
        if one["legal_representative"]
    ]


def _deadline(row: Application) -> Iterator[Requirement]:
    if row.state == Application.State.RETURNED and row.due_date is not None:
        yield Requirement(
            "",
            _("Complete what the reviewer asks for, and submit it again."),
            _("May be refused after that day."),
            row.due_date,
            blocking=False,
        )
