"""Samples for an audit: chance alone decides, and the same seed finds the same rows again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from django.db.models import Max, Min
from django.utils.translation import gettext as _

from config.errors import Malformed
from foundation import registries
from foundation.registries import SampleSource

MOST: Final = 500
_SMALL: Final = 20_000  # up to so many keys are read, beyond that they are drawn
_ROUNDS: Final = 40


class SampleRefused(Malformed):
    """The size, the seed or the end of the population is none."""

    code = "sample_refused"


@dataclass(frozen=True, slots=True)
class Sample:
    """The rows that were drawn, and all that is needed to draw them again."""

    source: str
    seed: int
    size: int
    up_to: int
    rows: Sequence[Any]


def draw(source: str, *, seed: int, size: int, up_to: int | None = None) -> Sample:
    """
    Draw `size` different rows among those whose key is at most `up_to` (now: all there are).

    Every row has the same chance. The same source, seed, size and `up_to` give the same rows,
    whatever came since; none is ever deleted. Raises SampleRefused. Rule: AU-8.
    """
    found: SampleSource = registries.sample_sources.get(source)
    if not 1 <= size <= MOST:
        raise SampleRefused(_("Between 1 and %(most)s rows.") % {"most": MOST}, field="size")
    if not 0 <= seed < 2**63 or (up_to is not None and not 0 <= up_to < 2**63):
        raise SampleRefused(_("A whole number below 2^63."), field="seed")
    rows = found.rows()
    edges = rows.aggregate(first=Min("pk"), last=Max("pk"))
    last = edges["last"] or 0 if up_to is None else up_to
    keys = _drawn(rows.filter(pk__lte=last), edges["first"] or 1, last, Random(seed), size)
    by_key = rows.in_bulk(keys)
    return Sample(source, seed, size, last, [by_key[key] for key in keys])


def _drawn(rows: Any, first: int, last: int, chance: Random, size: int) -> list[int]:
    """Return keys in the order they were drawn; gaps in the numbers are drawn again."""
    if last - first < _SMALL:
        keys = list(rows.order_by("pk").values_list("pk", flat=True))
        return chance.sample(keys, min(size, len(keys)))
    chosen: dict[int, None] = {}
    for _round in range(_ROUNDS):
        wanted = [chance.randint(first, last) for _number in range(4 * size)]
        there = set(rows.filter(pk__in=wanted).values_list("pk", flat=True))
        chosen.update((key, None) for key in wanted if key in there)
        if len(chosen) >= size:
            break
    return list(chosen)[:size]
