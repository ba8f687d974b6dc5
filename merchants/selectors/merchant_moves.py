"""Proposed moves of merchants in words: numbers, names and states, never codes and hashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from django.utils.translation import gettext as _

from foundation.models import Approval
from merchants.models import Merchant

SHOWN: Final = 20  # merchants of a list that a proposal names; the list's page has them all
_NAMED: Final = 2  # merchants that its subject names
Row = tuple[str, object, object]


def about(approval: Approval) -> str:
    """Return which merchants a proposal is about: each with number and name, or the first few."""
    named = [one for one, _from, _to in _moves(approval, _NAMED)]
    more = approval.after["count"] - len(named)
    if more <= 0:
        return ", ".join(named)
    return ", ".join(named) + " " + _("and %(more)s more") % {"more": more}


def says(approval: Approval) -> list[Row]:
    """Return what changes, field by field, with states by their names."""
    after = approval.after
    pairs = [line.rsplit(" ", 1)[1].split("→") for line in after["merchants"]]
    lines = [f"{one}: {was} → {to}" for one, was, to in _moves(approval, SHOWN)]
    more = after["count"] - len(lines)
    if more > 0:
        lines.append(_("and %(more)s more, on the page of the list") % {"more": more})
    return [
        (_("status"), _counted(was for was, _to in pairs), _counted(to for _was, to in pairs)),
        (_("document"), None, after["document"]),
        (_("how many"), None, after["count"]),
        (_("merchants"), None, "\n".join(lines)),
    ]


def _moves(approval: Approval, most: int) -> list[tuple[str, str, str]]:
    """Return the first merchants of the list with number and name, from where, and to where."""
    split = [line.rsplit(" ", 1) for line in approval.after["merchants"][:most]]
    numbers = [number for number, _move in split]
    names = dict(
        Merchant.objects.filter(merchant_no__in=numbers).values_list("merchant_no", "name")
    )
    return [
        (f"{number} {names.get(number, '')}".strip(), *map(_label, move.split("→")))  # type: ignore[misc]
        for number, move in split
    ]


def _label(status: str) -> str:
    return str(Merchant.Status(status).label)


def _counted(statuses: Iterable[str]) -> str:
    """Say statuses with their numbers: `active 990, restricted 10`; of one merchant the status."""
    counts = Counter(statuses)
    if sum(counts.values()) == 1:
        return _label(next(iter(counts)))
    return ", ".join(f"{_label(status)} {many:,}" for status, many in sorted(counts.items()))
