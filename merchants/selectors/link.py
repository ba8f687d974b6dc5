"""
Which merchants and applications belong together: the same persons, browsers or networks (S4-02).

Only what people of merchants did at the portal counts; our own staff enters applications, so what
is entered there says nothing about the applicant (docs/rules/links.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import models
from django.db.models import Q, QuerySet
from django.utils.translation import pgettext_lazy

from foundation.models import User
from foundation.models.user import Mailbox, mailbox
from foundation.selectors import sign_in_trace as traces
from merchants.models import Application, ApplicationContact, Membership, Merchant
from merchants.selectors import application as applications

CROWD: Final = 5  # merchants behind one network: with more it is a carrier's or a building's
SHOWN: Final = 20  # merchants named of one browser or network, and as many applications
_PEOPLE: Final = 50  # of the merchant asked about
_HELD: Final = 5_000  # memberships read


class Kind(models.TextChoices):
    """What is shared."""

    PERSON = "PERSON", pgettext_lazy("link", "the same person")
    DEVICE = "DEVICE", pgettext_lazy("link", "the same browser")
    NETWORK = "NETWORK", pgettext_lazy("link", "the same network")


class Strength(models.IntegerChoices):
    """How much it says. Rule: LNK-4."""

    STRONG = 1, pgettext_lazy("evidence", "strong")
    MEDIUM = 2, pgettext_lazy("evidence", "medium")
    WEAK = 3, pgettext_lazy("evidence", "weak")


@dataclass(frozen=True, slots=True)
class Link:
    """
    One person, browser or network, with the other merchants and the applications behind it.

    `many` merchants are behind it, of which SHOWN are named; `more` says that more accounts used
    the browser than are read. `last_at` is of those asked about; None for a person.
    """

    kind: Kind
    strength: Strength
    name: str
    merchants: Sequence[Merchant]
    many: int
    applications: Sequence[Application] = ()
    last_at: datetime | None = None
    staff: bool = False
    more: bool = False


@dataclass(frozen=True, slots=True)
class Links:
    """
    What was found, the strongest first; and how many networks say nothing: `ours`, from which our
    own staff signs in, and `crowds`, from which more accounts came than are read.
    """

    found: Sequence[Link] = ()
    ours: int = 0
    crowds: int = 0


def of_merchant(*, merchant_id: int, at: datetime) -> Links:
    """Return what links a merchant with others, bounded. Rule: LNK-1 to LNK-5."""
    return _Search(merchant_id, at).links(_accounts_of(merchant_id))


def of_application(*, application: Application, at: datetime) -> Links:
    """
    Return what links an application with others, bounded: by the people of the merchant that it
    made or concerns, and by the accounts that its contacts have at the portal. Rule: LNK-2.
    """
    own = application.became_id or application.concerns_id or 0
    mailboxes = {mailbox(one.email) for one in application.contacts.all() if one.email}
    named = User.objects.alias(mailbox=Mailbox("email")).filter(
        mailbox__in=mailboxes, is_staff=False, is_superuser=False
    )
    accounts = {one.pk: one for one in [*_accounts_of(own), *named[:_PEOPLE]]}
    return _Search(own, at, application.pk).links(accounts.values())


def _accounts_of(merchant_id: int) -> list[User]:
    """Return who acts or acted for a merchant, the latest; who left is a trace still."""
    held = Membership.objects.filter(merchant_id=merchant_id).select_related("user__person")
    return [one.user for one in held.order_by("-id")[:_PEOPLE]]


@dataclass(slots=True)
class _Search:
    """One search: whose, as of when, and what was read for it."""

    own: int
    at: datetime
    application: int = 0
    mailboxes: dict[UUID, str] = field(default_factory=dict)
    held: dict[UUID, list[int]] = field(default_factory=dict)
    entered: dict[str, list[Application]] = field(default_factory=dict)
    named: Mapping[int, Merchant] = field(default_factory=dict)

    def links(self, accounts: Iterable[User]) -> Links:
        """Read what is needed in a fixed number of statements, and put it together."""
        asked = list(accounts)
        if not asked:
            return Links()
        persons = {one.person_id for one in asked}
        same = User.objects.filter(person_id__in=persons).select_related("person")
        kin = list(same[: _PEOPLE * 4])
        own_ids = {one.pk for one in [*asked, *kin]}
        devices = traces.devices(own_ids, self.at)
        networks = traces.networks(own_ids, self.at)
        ours = [one for one in networks if one.staff]
        crowds = [one for one in networks if one.more and not one.staff]
        networks = [one for one in networks if not one.more and not one.staff]
        met = {key for trace in (*devices, *networks) for key in trace.others}
        self._read([*kin, *User.objects.filter(pk__in=met)])
        by_person = list(self._persons(kin))
        said = {one for user in own_ids for one in self.held.get(user, ())}
        for user in met:  # what a person links is not said again by his colleagues there
            self.held[user] = [one for one in self.held.get(user, ()) if one not in said]
        found = [
            *by_person,
            *self._traces(Kind.DEVICE, devices),
            *self._traces(Kind.NETWORK, networks),
        ]
        ordered = tuple(sorted(found, key=lambda one: one.strength))
        return Links(ordered, len(ours), len(crowds))

    def _read(self, people: Sequence[User]) -> None:
        self.mailboxes = {one.pk: mailbox(one.email) for one in people}
        for user, merchant in _held(self.mailboxes).exclude(merchant_id=self.own)[:_HELD]:
            self.held.setdefault(user, []).append(merchant)
        for contact in self._contacts({one for one in self.mailboxes.values() if one}):
            self.entered.setdefault(mailbox(contact.email), []).append(contact.application)
        shown = {one for ids in self.held.values() for one in ids}
        self.named = Merchant.objects.in_bulk(shown)

    def _contacts(self, mailboxes: set[str]) -> QuerySet[ApplicationContact]:
        """Return the contacts of these mailboxes on applications that made no merchant."""
        found = ApplicationContact.objects.alias(mailbox=Mailbox("email")).filter(
            ~Q(email=""),
            mailbox__in=mailboxes,
            merchant_id=applications.house_id(),
            application__kind=Application.Kind.OPENING,
            application__became=None,
        )
        others = found.exclude(application_id=self.application).select_related("application")
        return others.defer("phone", "application__account_number").order_by("-id")[:SHOWN]

    def _persons(self, kin: Sequence[User]) -> Iterator[Link]:
        accounts: dict[Any, list[User]] = {}
        for user in kin:
            accounts.setdefault(user.person_id, []).append(user)
        for users in accounts.values():
            link = self._link(
                Kind.PERSON, Strength.STRONG, users[0].person.name, [one.pk for one in users]
            )
            if link is not None:
                yield link

    def _traces(self, kind: Kind, found: Sequence[traces.Trace]) -> Iterator[Link]:
        for trace in found:
            users = sorted(trace.others, key=lambda one: trace.others[one], reverse=True)
            strength = self._strength(kind, trace)
            link = self._link(kind, strength, trace.name, users, trace)
            if link is not None:
                yield link

    def _strength(self, kind: Kind, trace: traces.Trace) -> Strength:
        if kind == Kind.DEVICE:
            return Strength.WEAK if trace.staff else Strength.STRONG
        behind = {one for user in trace.others for one in self.held.get(user, ())}
        return Strength.WEAK if len(behind) > CROWD else Strength.MEDIUM

    def _link(
        self,
        kind: Kind,
        strength: Strength,
        name: str,
        users: Sequence[UUID],
        trace: traces.Trace | None = None,
    ) -> Link | None:
        """Return the link with what is behind these accounts; None where nothing is."""
        behind = list(dict.fromkeys(one for user in users for one in self.held.get(user, ())))
        entered = {
            one.pk: one
            for user in users
            for one in self.entered.get(self.mailboxes.get(user, ""), ())
        }
        if not behind and not entered:
            return None
        return Link(
            kind=kind,
            strength=strength,
            name=name,
            merchants=[self.named[one] for one in behind[:SHOWN]],
            many=len(behind),
            applications=list(entered.values()),
            last_at=trace.last_at if trace else None,
            staff=trace is not None and trace.staff,
            more=trace is not None and trace.more,
        )


def _held(accounts: Iterable[UUID]) -> Any:
    """Return (account, merchant) of every membership of these accounts, the latest first."""
    held = Membership.objects.filter(user_id__in=list(accounts))
    return held.order_by("-id").values_list("user_id", "merchant_id")
