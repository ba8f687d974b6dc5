"""
The only way upward: what higher floors offer to lower ones, filled in `AppConfig.ready()`.

A lower package calls what is registered here without importing who registered it
(docs/decisions/0001-rooms.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from foundation.exchange import Exportable, Importable
from foundation.money import Money
from foundation.verification import Sender, StepUp, VerificationFactor, VerifiedOperation

if TYPE_CHECKING:
    from django.utils.functional import Promise

    from foundation.models import Approval, User

T = TypeVar("T")
SEARCH_MOST: Final = 20  # things that one search provider finds at most


class AlreadyRegistered(Exception):
    """Two things want the same name in one registry: a bug."""


class NotRegistered(Exception):
    """Nothing has this name in the registry: a bug, or a package that is not installed."""


class Registry(Generic[T]):
    """Things of one type by unique name, in the order in which they were registered."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._items: dict[str, T] = {}

    def register(self, name: str, item: T) -> None:
        """Add an item. The same item again is no change; another one raises AlreadyRegistered."""
        if self._items.setdefault(name, item) != item:
            raise AlreadyRegistered(f"{self.name} has another {name!r}.")

    def get(self, name: str) -> T:
        """Return the item of that name. Raises NotRegistered."""
        try:
            return self._items[name]
        except KeyError:
            raise NotRegistered(f"{self.name} has no {name!r}.") from None

    def items(self) -> tuple[tuple[str, T], ...]:
        """Return every name with its item, in order."""
        return tuple(self._items.items())

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._items.values()))

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __len__(self) -> int:
        return len(self._items)


class Risk(TextChoices):
    """How much harm a kind of proposal can do; the inbox shows it and lists by it."""

    LOW = "LOW", _("low")
    MEDIUM = "MEDIUM", _("medium")
    HIGH = "HIGH", _("high")


def _nothing_to_undo(approval: Approval, at: datetime) -> None:
    """Leave the world as it is: most refused proposals had no effect yet."""


def _nobody_gains(approval: Approval) -> frozenset[str]:
    """Most proposals are in nobody's personal favour."""
    return frozenset()


@dataclass(frozen=True, slots=True)
class ApprovalAction:
    """
    What an approved proposal does.

    `apply` runs in the transaction of the deciding approval and may refuse by DomainError (then
    nothing is decided); `refuse` runs in the transaction that rejects, withdraws or expires it;
    `describe` says it in one sentence in the reader's language; `permission` is what a checker must
    hold ("" asks for none). `title` names the kind for people; `gains(approval)` returns the ids of
    persons in whose favour it is, who may not decide on it, as the maker may not.
    """

    name: str
    apply: Callable[[Approval, datetime], None]
    describe: Callable[[Approval], str]
    refuse: Callable[[Approval, datetime], None] = _nothing_to_undo
    permission: str = ""
    title: str | Promise = ""
    risk: Risk = Risk.MEDIUM
    gains: Callable[[Approval], frozenset[str]] = _nobody_gains
    page: Callable[[Approval], str] | None = None  # the address of what it is about
    about: Callable[[Approval], str] | None = None  # its subject in words
    # (field, before, after) in words, where the fields as proposed hold codes
    says: Callable[[Approval], list[tuple[str, object, object]]] | None = None
    withdrawable: bool = True  # False: it had an effect already, which another person decides on
    # by when somebody should decide on what never expires; such proposals lead the inbox
    due: Callable[[Approval], datetime] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One broken invariant: `check` is its name ("I3", docs/rules/ledger.md); amounts are minor units
    as text.
    """

    check: str
    merchant_id: int | None
    currency: str
    subject: str
    expected: str
    found: str
    message: str


class LifecycleListener(Protocol):
    """Reacts to an event in a merchant's life, inside the transaction of whoever announces it."""

    def __call__(
        self, *, event: str, merchant_ids: Sequence[int], payload: Mapping[str, Any]
    ) -> None: ...


class FactListener(Protocol):
    """
    Reacts, set-based, to the facts one clearing chunk has booked, inside the booking's transaction.
    """

    def __call__(self, *, event: str, chunk_id: int) -> None: ...


class DayCloseStep(Protocol):
    """One step of closing a day; raises DomainError with the reason why the day cannot close."""

    def __call__(self, *, business_date: date, at: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class WorkItem:
    """
    A queue of things that need a person now: how many, since when, how much money, and where to
    look. `note` says more in a few words. Shown to who holds `permission`. An `urgent` one is red.
    """

    title: str
    count: int
    oldest_at: datetime | None
    at_stake: tuple[Money, ...]
    url: str
    permission: str = ""
    note: str = ""
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class TrailStep:
    """The station of the money's way that a journal entry or a hold belongs to, and its page."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the overview: what it is, its value as people read it, where it comes from."""

    label: str
    value: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """Figures that belong together on the overview; `note` says of which day or moment."""

    title: str
    figures: tuple[Figure, ...]
    note: str = ""
    permission: str = ""


@dataclass(frozen=True, slots=True)
class SampleSource:
    """
    A population an auditor may draw from: its rows (facts, never deleted), the columns to show as
    (label, text of a row), the page of a row in the admin, and who may see it.
    """

    title: str | Promise
    rows: Callable[[], Any]
    columns: Callable[[Any], Mapping[str, str]]
    url_name: str
    permission: str


class TrailProvider(Protocol):
    """Tells, of one kind of cause, which station of the money's way a `source_id` stands for."""

    def __call__(self, *, merchant_id: int, source_id: str) -> TrailStep | None: ...


class FactNamer(Protocol):
    """
    Tells by which numbers people know the facts of one kind ("payment", "refund"); bounded by what
    it is asked. Facts it does not know are left out.
    """

    def __call__(self, *, merchant_id: int, fact_ids: Sequence[int]) -> Mapping[int, str]: ...


@dataclass(frozen=True, slots=True)
class MerchantBox:
    """
    What a higher floor shows on a merchant's page in the admin, to who holds `permission`:
    `render(merchant)` returns it as safe HTML, in a bounded number of statements.
    """

    title: str | Promise
    render: Callable[[Any], str]
    permission: str


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One thing found by its number."""

    title: str
    detail: str
    url: str


class CauseNamer(Protocol):
    """
    Tells, from the `source_id` of one kind of journal entry alone, the number by which people know
    what caused it.
    """

    def __call__(self, *, merchant_id: int, source_id: str) -> str: ...


class SearchProvider(Protocol):
    """
    Finds things by exact number or prefix, bounded by `SEARCH_MOST`, and only what `user` may see.
    """

    def __call__(self, *, text: str, user: User) -> Iterable[SearchHit]: ...


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """
    A kind of news that a merchant's program may be told of; `title` is what people call it.

    Its public name never changes. Declared by the package that knows the noun
    (docs/rules/webhooks.md).
    """

    name: str
    title: str | Promise


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """A line of the admin's or the portal's menu; `door` is "admin" or "portal"."""

    door: str
    title: str | Promise
    url_name: str
    permission: str = ""
    icon: str = ""
    group: str | Promise = ""


second_factor_rules: Registry[Callable[[User], bool]] = Registry("second_factor_rules")
approval_actions: Registry[ApprovalAction] = Registry("approval_actions")
# Persons who act for whom a proposal is about: none of them decides on it (AP-12).
approval_insiders: Registry[Callable[[Approval], frozenset[str]]] = Registry("approval_insiders")
# Look through all of an uploaded PDF or picture and refuse it by DomainError (AP-9, DOC-1).
file_inspectors: Registry[Callable[[bytes], object]] = Registry("file_inspectors")
invariant_checks: Registry[Callable[[], Iterable[Finding]]] = Registry("invariant_checks")
append_only_tables: Registry[tuple[str, ...]] = Registry("append_only_tables")
day_close_steps: Registry[DayCloseStep] = Registry("day_close_steps")
verification_factors: Registry[VerificationFactor] = Registry("verification_factors")
verified_operations: Registry[VerifiedOperation] = Registry("verified_operations")
step_ups: Registry[StepUp] = Registry("step_ups")
code_senders: Registry[Sender] = Registry("code_senders")
lifecycle_listeners: Registry[LifecycleListener] = Registry("lifecycle_listeners")
fact_listeners: Registry[FactListener] = Registry("fact_listeners")
work_items: Registry[Callable[[User], Iterable[WorkItem]]] = Registry("work_items")
trail_providers: Registry[TrailProvider] = Registry("trail_providers")
fact_namers: Registry[FactNamer] = Registry("fact_namers")
cause_namers: Registry[CauseNamer] = Registry("cause_namers")
cause_names: Registry[Promise] = Registry("cause_names")  # of kinds of causes and facts
acts: Registry[Promise] = Registry("acts")  # what acts on the audit trail are called
overview_panels: Registry[Callable[[datetime], Panel]] = Registry("overview_panels")
# Whether there is or ever was money of a merchant in somebody's books.
money_holders: Registry[Callable[[int], bool]] = Registry("money_holders")
fact_pages: Registry[str] = Registry("fact_pages")  # names of the admin's pages, by fact kind
# What of a merchant's terms on higher floors does not fit these products, each in one sentence.
term_conflicts: Registry[Callable[[int, frozenset[str]], Iterable[str]]] = Registry(
    "term_conflicts"
)
sample_sources: Registry[SampleSource] = Registry("sample_sources")
search_providers: Registry[SearchProvider] = Registry("search_providers")
merchant_boxes: Registry[MerchantBox] = Registry("merchant_boxes")
menu_entries: Registry[MenuEntry] = Registry("menu_entries")
importables: Registry[Importable] = Registry("importables")
exportables: Registry[Exportable] = Registry("exportables")
webhook_events: Registry[WebhookEvent] = Registry("webhook_events")
sent_lists: Registry[Promise] = Registry("sent_lists")  # titles of what goes out at once, by kind


def title_of(action: str) -> str:
    """Return what people call a kind of proposal; its name where it has no title."""
    found = approval_actions.get(action).title if action in approval_actions else ""
    return str(found) or action


def leading_kinds() -> list[str]:
    """Return the kinds of proposals that have their effect already and wait for a decision."""
    return [name for name, one in approval_actions.items() if one.due is not None]


def name_acts(named: Mapping[str, Promise]) -> None:
    """Register what a package's acts on the audit trail are called."""
    for action, title in named.items():
        acts.register(action, title)


def act_of(action: str) -> str:
    """Return what an act is called; one that no package names any more as it is."""
    return str(acts.get(action)) if action in acts else action


def word_of(name: str) -> str:
    """
    Return what people call a kind of proposal, an act or a proof, or the proposals that a right
    decides on; anything else as it is.
    """
    if name in approval_actions:
        return title_of(name)
    if name in verified_operations:
        return str(verified_operations.get(name).title)
    if name in verification_factors:
        return str(verification_factors.get(name).title)
    decided = [str(one.title) for one in approval_actions if one.permission == name != ""]
    return ", ".join(dict.fromkeys(decided)) or name


def step_up_needed(*, user: User, at: datetime) -> bool:
    """Return whether somebody asks for more proof from this person now (a new device, S2-13)."""
    return any(asks(user=user, at=at) for asks in step_ups)


def announce(event: str, *, merchant_ids: Sequence[int], payload: Mapping[str, Any]) -> None:
    """Tell every lifecycle listener, in order, inside the caller's transaction."""
    for listener in lifecycle_listeners:
        listener(event=event, merchant_ids=merchant_ids, payload=payload)


def announce_facts(event: str, *, chunk_id: int) -> None:
    """Tell every fact listener, in order, inside the transaction that booked the chunk."""
    for listener in fact_listeners:
        listener(event=event, chunk_id=chunk_id)
