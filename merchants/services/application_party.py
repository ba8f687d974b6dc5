"""Owners, contacts and sites of an application, as rows of its form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _

from config.errors import Malformed
from foundation import crypto
from merchants.models import (
    Application,
    ApplicationContact,
    ApplicationOwner,
    ApplicationSite,
)
from merchants.services import application_check
from merchants.services.application_check import Problems

_OWNER: Final = (
    "through_no", "kind", "name", "share_percent", "identity_kind", "identity_until",
    "identity_long_term", "legal_representative", "source_of_funds",
)  # fmt: skip


def save_owners(application: Application, rows: Sequence[Mapping[str, Any]]) -> Problems:
    """
    Make the owners equal to the rows; return what is wrong, by field. A share or a company above
    that cannot be is left empty, everything else of its line is kept. Rule: APP-1, APP-7
    (docs/rules/applications.md).
    """
    problems = _tree_problems(rows)
    rows = [_without(row, problems) for row in rows]
    there = {owner.line_no: owner for owner in _mine(ApplicationOwner, application)}
    for row in rows:
        owner = there.pop(row["line_no"], None) or ApplicationOwner(
            merchant_id=application.merchant_id, application=application, line_no=row["line_no"]
        )
        for name in _OWNER:
            if name in row:
                setattr(owner, name, row[name])
        if owner.identity_long_term and owner.identity_until:
            owner.identity_until = None
            problems[f"owners.{owner.line_no}.identity_until"] = application_check.either_or()
        try:
            _secret(
                owner,
                "identity",
                "identity_no",
                application_check.identity(row["identity_no"], owner.identity_kind)
                if row.get("identity_no")
                else "",
            )
        except Malformed as refusal:
            problems[f"owners.{owner.line_no}.identity_no"] = str(refusal)
        owner.save()
    # A company goes after who is held through it: the key between them is checked at the end.
    for owner in there.values():
        owner.delete()
    return problems


def save_contacts(application: Application, rows: Sequence[Mapping[str, Any]]) -> Problems:
    """Make the contacts equal to the rows; return what is wrong, by field."""
    problems: Problems = {}
    there = {contact.line_no: contact for contact in _mine(ApplicationContact, application)}
    for row in rows:
        contact = there.pop(row["line_no"], None) or ApplicationContact(
            merchant_id=application.merchant_id, application=application, line_no=row["line_no"]
        )
        for name in ("role", "name", "email"):
            if name in row:
                setattr(contact, name, row[name])
        try:
            number = application_check.phone(row["phone"]) if row.get("phone") else ""
            _secret(contact, "phone", "phone", number)
        except Malformed as refusal:
            problems[f"contacts.{contact.line_no}.phone"] = str(refusal)
        contact.save()
    for contact in there.values():
        contact.delete()
    return problems


def save_sites(application: Application, rows: Sequence[Mapping[str, Any]]) -> Problems:
    """Make the sites equal to the rows."""
    there = {site.line_no: site for site in _mine(ApplicationSite, application)}
    for row in rows:
        site = there.pop(row["line_no"], None) or ApplicationSite(
            merchant_id=application.merchant_id, application=application, line_no=row["line_no"]
        )
        for name in ("kind", "name", "place", "filing_no"):
            if name in row:
                setattr(site, name, row[name])
        site.save()
    for site in there.values():
        site.delete()
    return {}


def _mine(model: Any, application: Application) -> Any:
    return model.objects.filter(merchant_id=application.merchant_id, application=application)


def _secret(row: Any, prefix: str, field: str, number: str) -> None:
    """Put a new number into its three columns; an empty one leaves what is there."""
    if number:
        setattr(row, field, number)
        setattr(row, f"{prefix}_hash", crypto.lookup_hash(number))
        setattr(row, f"{prefix}_masked", crypto.mask(number))


def _without(row: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    """Return a row without the share that is wrong, or that is of a company which is wrong."""
    path, kept = f"owners.{row['line_no']}", dict(row)
    if f"{path}.through_no" in problems:
        kept |= {"through_no": None, "share_percent": None}
    elif f"{path}.share_percent" in problems:
        kept["share_percent"] = None
    return kept


def _tree_problems(rows: Sequence[Mapping[str, Any]]) -> Problems:
    """Say what is wrong with lines and shares; the database says it again."""
    problems: Problems = {}
    kinds = {row["line_no"]: row.get("kind") for row in rows}
    sums: dict[int | None, Decimal] = {}
    for row in rows:
        path, through = f"owners.{row['line_no']}", row.get("through_no")
        if through is not None and (
            through >= row["line_no"] or kinds.get(through) != ApplicationOwner.Kind.COMPANY
        ):
            problems[f"{path}.through_no"] = _("Name the line of a company above this one.")
        share = row.get("share_percent")
        if share is not None and not 0 < share <= 100:
            problems[f"{path}.share_percent"] = _("A share is above 0 and at most 100 %%.") % ()
        elif share is not None:
            sums[through] = sums.get(through, Decimal(0)) + share
            if sums[through] > 100:
                problems[f"{path}.share_percent"] = (
                    _("The shares of one company's owners sum to more than 100 %%.") % ()
                )
    return problems
