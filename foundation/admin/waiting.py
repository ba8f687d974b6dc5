"""On the page of a thing: which proposals about it wait, since when, by whom, and what changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Case, Field, Model, Q, QuerySet, Value, When
from django.http import HttpRequest
from django.urls import reverse
from django.utils.timesince import timesince
from django.utils.translation import gettext

from foundation import clock, registries
from foundation.admin.columns import grouped
from foundation.fields import EncryptedTextField
from foundation.models import Approval, Fact
from foundation.selectors import approval_subject
from foundation.selectors import person as people
from foundation.selectors.house import house_id

Subjects = Callable[[Any], Sequence[str]]
MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Waiting:
    """One open proposal as the page of its object shows it."""

    what: str
    url: str
    maker: str
    age: str
    money: str
    changes: list[tuple[str, object, object]]


def waiting(request: HttpRequest, row: Model, subjects: Subjects | None) -> list[Waiting]:
    """
    Return the open proposals about a row, to who may see proposals: what has its effect already
    leads, as in the inbox, the rest by its end.
    """
    if isinstance(row, Approval) or not request.user.has_perm("foundation.view_approval"):
        return []
    open_ones = _about(row, subjects).filter(state=Approval.State.PROPOSED)
    leading = When(action__in=registries.leading_kinds(), then=Value(0))
    ordered = open_ones.order_by(Case(leading, default=Value(1)), "expires_at", "id")
    found = list(ordered[:MOST])
    makers = people.names(one.maker_id for one in found)
    return [_shown(one, makers[str(one.maker_id)]) for one in found]


def subjects_of(row: Model) -> list[str]:
    """
    Return what proposals call a row: `bank_account:7` by its kind and key, and its own number.
    """
    kind = approval_subject.kind_of(type(row))
    return [f"{kind}:{row.pk}", *own_number(row)]


def own_number(row: Model) -> list[str]:
    """
    Return what people call a row by, if it has such a number. One that is kept encrypted is none:
    it would stand in clear in statements, and so in the logs of slow ones.
    """
    secret = {one.name for one in row._meta.fields if isinstance(one, EncryptedTextField)}
    number = None if "number" in secret else getattr(row, "number", None)
    return [number] if type(number) is str else []


def changes(of: Approval) -> list[tuple[str, object, object]]:
    """
    Return (field, before, after) of every field; what a proposal does not name stays as it is.

    Fields and states of a row are called as its own page calls them.
    """
    known_kinds = registries.approval_actions
    says = known_kinds.get(of.action).says if of.action in known_kinds else None
    if says is not None:
        return says(of)
    model = approval_subject.models().get(of.subject.partition(":")[0])
    known = {} if model is None else {field.name: field for field in model._meta.fields}
    return [
        (
            _name(key, known.get(key)),
            _said(of.before.get(key), known.get(key)),
            _said(value, known.get(key)),
        )
        for key, value in {**of.before, **of.after}.items()
    ]


def _name(key: str, field: Field[Any, Any] | None) -> str:
    spoken = gettext(key.replace("_", " "))
    return spoken if field is None or spoken != key.replace("_", " ") else str(field.verbose_name)


def _about(row: Model, subjects: Subjects | None) -> QuerySet[Approval]:
    """
    Return the proposals about a row: by book and subject, of a merchant all of his book, and what
    lies about him in the house's. Proposals about what belongs to no merchant lie there, too.
    """
    if row._meta.label == "merchants.Merchant":
        named = list(subjects(row)) if subjects is not None else []
        in_house = Q(merchant=house_id(), subject__in=named)
        return Approval.objects.filter(Q(merchant=row.pk) | in_house)
    book: Any = row.merchant_id if isinstance(row, Fact) else house_id()
    named = list(subjects(row)) if subjects is not None else subjects_of(row)
    return Approval.objects.filter(merchant=book, subject__in=named)


def _shown(one: Approval, maker: str) -> Waiting:
    action = registries.approval_actions
    known = one.action in action
    moved = one.money_effect
    return Waiting(
        what=action.get(one.action).describe(one) if known else f"{one.action} {one.subject}",
        url=reverse("admin:foundation_approval_change", args=[one.pk]),
        maker=maker,
        age=timesince(one.proposed_at, clock.now()),
        money="" if moved is None else grouped(moved),
        changes=[change for change in changes(one) if change[1] != change[2]],
    )


def _said(value: object, field: Field[Any, Any] | None) -> object:
    """
    Say yes, no and a state in the reader's language, a list of texts line by line; all else stays
    as it was proposed.
    """
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if field is not None and field.choices and isinstance(value, str):
        return dict(field.flatchoices).get(value, value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(registries.word_of(one) for one in value)
    return registries.word_of(value) if isinstance(value, str) else value
