"""Who else is behind it: the same registration, owner, account, phone or e-mail (S4-02)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from foundation import sql
from foundation.models.user import of_mailbox
from foundation.selectors.house import house_id
from merchants.models import Application, BankAccount, Merchant
from merchants.models.application_party import ApplicationContact, ApplicationOwner
from merchants.selectors.application import Whole

MOST: Final = 20  # of each kind
WATCHED: Final = 500  # applications that wait, the latest


@dataclass(frozen=True, slots=True)
class Twin:
    """One thing shared with one other application or merchant."""

    shared: str | Promise
    value: str  # masked where it is secret
    other: Application | Merchant


def twins(of: Whole) -> list[Twin]:
    """Return everything this application shares with others, bounded. Rule: APP-13."""
    return [*_registration(of), *_account(of), *_owners(of), *_phones(of), *_emails(of)]


def with_stopped_kin() -> list[int]:
    """
    Return the applications waiting for a decision, of the latest WATCHED, that share a number with
    a refused application or a frozen merchant; the same merchant's own left out. Two statements.
    Rule: LNK-8 (docs/rules/links.md).
    """
    statement = sql.load("merchants", "application_stopped_kin")
    found = sql.rows(statement, {"house": house_id(), "most": WATCHED})
    return [int(row["id"]) for row in found]


def _registration(of: Whole) -> Iterator[Twin]:
    number = of.application.registration_no
    if not number:
        return
    same = _others(of, Application.objects.filter(registration_no=number))
    for other in same.order_by("-id")[:MOST]:
        yield Twin(_("registration number"), number, other)
    merchants = Merchant.objects.filter(registration_no=number)
    for merchant in merchants.exclude(id=_own(of)).order_by("-id")[:MOST]:
        yield Twin(_("registration number"), number, merchant)


def _account(of: Whole) -> Iterator[Twin]:
    row = of.application
    if row.account_hash is None:
        return
    same = _others(of, Application.objects.filter(account_hash=row.account_hash))
    for other in same.order_by("-id")[:MOST]:
        yield Twin(_("bank account"), row.account_masked, other)
    accounts = BankAccount.objects.filter(number_hash=row.account_hash).exclude(
        merchant_id=_own(of)
    )
    for account in accounts.defer("number").select_related("merchant").order_by("-id")[:MOST]:
        yield Twin(_("bank account"), row.account_masked, account.merchant)


def _owners(of: Whole) -> Iterator[Twin]:
    for owner in of.owners:
        if owner.identity_hash is None:
            continue
        same = ApplicationOwner.objects.filter(identity_hash=owner.identity_hash)
        others = _others(of, same, "application__").select_related("application")
        for other in others.defer("identity_no").order_by("-id")[:MOST]:
            yield Twin(_("owner"), f"{owner.name} {owner.identity_masked}", other.application)


def _phones(of: Whole) -> Iterator[Twin]:
    for contact in of.contacts:
        if contact.phone_hash is None:
            continue
        same = ApplicationContact.objects.filter(phone_hash=contact.phone_hash)
        others = _others(of, same, "application__").select_related("application")
        for other in others.defer("phone").order_by("-id")[:MOST]:
            yield Twin(_("phone"), contact.phone_masked, other.application)


def _emails(of: Whole) -> Iterator[Twin]:
    for contact in of.contacts:
        if not contact.email:
            continue
        same = ApplicationContact.objects.filter(of_mailbox(contact.email), ~Q(email=""))
        others = _others(of, same, "application__").select_related("application")
        for other in others.defer("phone").order_by("-id")[:MOST]:
            yield Twin(_("e-mail"), contact.email, other.application)


def _own(of: Whole) -> int:
    """Return the merchant that an application made or concerns, 0 for none."""
    return of.application.became_id or of.application.concerns_id or 0


def _others(of: Whole, rows: QuerySet[Any], path: str = "") -> QuerySet[Any]:
    """Leave out the application itself, and every other one about the same merchant."""
    rows = rows.exclude(**{f"{path}id": of.application.id})
    if own := _own(of):
        mine = Q(**{f"{path}became_id": own}) | Q(**{f"{path}concerns_id": own})
        rows = rows.exclude(mine)
    return rows
