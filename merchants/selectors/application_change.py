"""What a change of a merchant changes, and what follows from it, for those who decide."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Model
from django.utils.translation import gettext as _

from foundation import canonical, registries
from foundation.models import Approval
from merchants.models import (
    Application,
    ApplicationContact,
    ApplicationOwner,
    ApplicationSite,
    BankAccount,
    ContractType,
    Document,
    Industry,
    Membership,
    Merchant,
    ProductGate,
    RiskGrade,
)
from merchants.models.application import TRANSITIONS
from merchants.selectors import application as applications
from merchants.selectors.application import Whole

CHANGEABLE: Final = frozenset(
    {Merchant.Status.ACTIVE, Merchant.Status.RESTRICTED, Merchant.Status.FROZEN}
)
# Papers of what has its own flow: a change neither takes them over nor asks for them.
NOT_CARRIED: Final = frozenset({Document.Kind.BANK_CARD})
_IN_THE_SENTENCE: Final = frozenset(
    {"application", "application_id", "kind", "merchant_no", "state"}
)
PARTS: Final[Mapping[str, type[Model]]] = {
    "owners": ApplicationOwner,
    "contacts": ApplicationContact,
    "sites": ApplicationSite,
}
Paper = tuple[str, str, str]  # kind, name of its file, SHA-256
_OPEN: Final = [state for state, onward in TRANSITIONS.items() if onward]
_FIELDS: Final = tuple(
    name for name in (*applications.PLAIN, "industry") if name not in applications.OWN_FLOW
)
# What a line is recognised by, as staff read it in a proposal.
_LINE: Final[Mapping[str, tuple[str, ...]]] = {
    "owners": ("name", "kind", "share_percent", "through_no", "identity_kind", "identity_no",
               "identity_until", "identity_long_term", "source_of_funds", "legal_representative"),
    "contacts": ("name", "role", "email", "phone"),
    "sites": ("name", "kind", "place", "filing_no"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One field with what is in force and what shall be, as people read it; "" is nothing."""

    path: str
    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Follows:
    """What comes of an approved change, by name (APP-18)."""

    falls_away: list[str]  # products that were agreed and are no longer
    owners: list[str]  # who owns the merchant in the portal, before and after
    owners_matter: bool  # a legal representative or owner changes, the portal's owner does not
    other_holder: int  # bank accounts in the name of before
    contract: str  # what comes of the money when the contract changes
    conflicts: list[str]  # terms of higher floors that do not fit the products any more


def open_change(merchant: Merchant) -> Application | None:
    """Return the one change or review of a merchant that is under way."""
    found = Application.objects.filter(
        merchant_id=applications.house_id(), concerns=merchant, state__in=_OPEN
    )
    return found.defer("account_number").first()


def changed(of: Whole) -> frozenset[str]:
    """Return the names of the fields and parts that differ from what is in force."""
    if of.before is None:
        return frozenset()
    now = _content(of)
    names = {name for name in _FIELDS if _plain(of.before, name) != _plain(now, name)}
    names |= {part for part in PARTS if _lines(of.before, part) != _lines(now, part)}
    if _papers(of.before) != _papers(now):
        names.add("documents")
    return frozenset(names)


@dataclass(frozen=True, slots=True)
class Names:
    """What differs from what was in force, by the names alone, in the reader's language."""

    of: Whole

    def __str__(self) -> str:
        return ", ".join(_named(name) for name in sorted(changed(self.of)))


def changes(of: Whole) -> list[Change]:
    """
    Return every field that differs from what is in force, of lines that came or went each one.

    Rule: APP-17 (docs/rules/applications.md).
    """
    if of.before is None:
        return []
    before, now = of.before, _content(of)
    found = [
        Change(
            name, _label(Application, name), _said(name, before.get(name)), _said(name, now[name])
        )
        for name in _FIELDS
        if _plain(before, name) != _plain(now, name)
    ]
    for part, model in PARTS.items():
        found += _line_changes(part, model, _lines(before, part), _lines(now, part))
    return [*found, *_paper_changes(_papers(before), _papers(now))]


def follows(of: Whole) -> Follows | None:
    """Return what comes of a change when it is approved; None of an opening. Rule: APP-18."""
    merchant = of.application.concerns
    if merchant is None or of.before is None:
        return None
    names = changed(of)
    falls = set(of.before.get("products") or ()) - set(of.application.products)
    gates = ProductGate.objects.in_bulk(falls)
    accounts = BankAccount.objects.filter(merchant=merchant).exclude(
        status=BankAccount.Status.DISABLED
    )
    renamed = "name" in names and of.application.name != merchant.name
    return Follows(
        falls_away=[str(gates.get(code, code)) for code in sorted(falls)],
        owners=portal_owners(merchant),
        owners_matter="owners" in names,
        other_holder=accounts.filter(holder=merchant.name).count() if renamed else 0,
        contract=_contract(of) if "contract_type" in names else "",
        conflicts=[
            said
            for asked in registries.term_conflicts
            for said in asked(merchant.id, frozenset(of.application.products))
        ],
    )


def portal_owners(merchant: Merchant) -> list[str]:
    """Return who owns a merchant in the portal, by name and account."""
    held = Membership.objects.filter(
        merchant=merchant, role=Membership.Role.OWNER, active=True
    ).select_related("user__person")
    return [f"{one.user.person.name} ({one.user.username})" for one in held.order_by("id")[:20]]


def lines(content: Mapping[str, Any], part: str) -> list[str]:
    """Return the lines of a part, each as one text, for a proposal."""
    return [
        " · ".join(
            said
            for name in ("line_no", *_LINE[part])
            if (said := _value(PARTS[part], name, line.get(name)))
        )
        for line in _lines(content, part).values()
    ]


def frozen(of: Whole) -> dict[str, Any]:
    """Return the content as it is frozen when it is submitted."""
    return _content(of)


def _contract(of: Whole) -> str:
    if of.application.contract_type == ContractType.FUNDS_HELD:
        return _("We hold its money from then on: its owner asks for a bank account in the portal.")
    return _("We hold no new money of it; what it has stays its own and is paid out as before.")


def _content(of: Whole) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(canonical.encode(applications.content(of)))
    return found


def _plain(content: Mapping[str, Any], name: str) -> Any:
    value = content.get(name)
    return sorted(value or ()) if name == "products" else (value or "")


def _lines(content: Mapping[str, Any], part: str) -> dict[int, Mapping[str, Any]]:
    return {line["line_no"]: line for line in content.get(part, ())}


def _papers(content: Mapping[str, Any]) -> set[Paper]:
    """Return the papers but the account's, which has a flow of its own."""
    return {
        (d["kind"], d["file_name"], d["sha256"])
        for d in content.get("documents", ())
        if d["kind"] not in NOT_CARRIED
    }


def _paper_changes(before: set[Paper], now: set[Paper]) -> Iterator[Change]:
    """Return, of each kind that differs, which papers there were and which there are now."""
    for kind in sorted({one[0] for one in before ^ now}):
        was, becomes = (
            ", ".join(sorted(name for of, name, _hash in papers if of == kind))
            for papers in (before, now)
        )
        if was == becomes:
            becomes += " " + _("(another file)")
        yield Change(f"documents.{kind}", str(Document.Kind(kind).label), was, becomes)


def _line_changes(
    part: str,
    model: type[Model],
    before: Mapping[int, Mapping[str, Any]],
    now: Mapping[int, Mapping[str, Any]],
) -> Iterator[Change]:
    for no in sorted({*before, *now}):
        old, new = before.get(no, {}), now.get(no, {})
        for name in _LINE[part]:
            if old.get(name) == new.get(name):
                continue
            was, becomes = _value(model, name, old.get(name)), _value(model, name, new.get(name))
            if was == becomes != "":  # two numbers that look alike when they are masked
                becomes += " " + _("(another number)")
            if was != becomes:
                yield Change(f"{part}.{no}.{name}", f"{_label(model, name)} {no}", was, becomes)


def says(approval: Approval) -> list[tuple[str, object, object]]:
    """
    Return what a proposal to approve a change says, (field, before, after) in words. What its own
    sentence names already is left out: which change of which merchant.
    """
    before, after = approval.before, approval.after
    names = [name for name in dict.fromkeys([*before, *after]) if name not in _IN_THE_SENTENCE]
    return [
        (_named(name), _worded(name, before.get(name)), _worded(name, after.get(name)))
        for name in names
    ]


def _named(name: str) -> str:
    own = {field.name for field in Application._meta.concrete_fields}
    return _label(Application, name) if name in own else _(name.replace("_", " "))


def _worded(name: str, value: Any) -> object:
    """Return one value of a proposal as people read it; a paper keeps the beginning of its hash."""
    if value is None:
        return None
    if name == "documents":
        split = [line.partition(" ") for line in value]
        return "\n".join(f"{Document.Kind(kind).label} {rest}" for kind, _space, rest in split)
    if isinstance(value, list):
        return "\n".join(value)
    if name == "risk_grade" and value:
        return str(RiskGrade(value).label)
    if name == "products":
        return _said(name, [code for code in str(value or "").split(", ") if code])
    if value == "True":
        return _("yes")
    own = {field.name for field in Application._meta.concrete_fields}
    return _said(name, value) if name in own else value


def _label(model: type[Model], name: str) -> str:
    field: Any = model._meta.get_field(name)
    return str(field.verbose_name)


def _said(name: str, value: Any) -> str:
    if name == "industry":
        found = Industry.objects.filter(code=value or "").first()
        return str(found or value or "")
    if name == "products":
        gates = ProductGate.objects.in_bulk(value or ())
        return ", ".join(str(gates.get(code, code)) for code in sorted(value or ()))
    return _value(Application, name, value)


def _value(model: type[Model], name: str, value: Any) -> str:
    """Return one frozen value as people read it."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return _label(model, name) if value else ""
    if isinstance(value, dict):  # a secret number
        return str(value["masked"])
    field: Any = model._meta.get_field(name)
    return str(dict(field.flatchoices).get(value, value))
