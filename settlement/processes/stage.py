"""What a process and its stages consist of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Stage:
    """
    One station of a process.

    `doors` are named as in docs/rules/unguarded_writes.md, `decides` kinds of proposals, `moves`
    "model: FROM > TO, TO", `writes` tables ("merchants.Merchant"), `rules` numbers of docs/rules.
    `within` or `deadline` says by when; `then` names the stages that follow, where it is not the
    next one. `who` says who comes by doors whose right stands in no table.
    """

    key: str
    title: Promise
    duty: Promise
    rules: tuple[str, ...]
    doors: tuple[str, ...] = ()
    decides: tuple[str, ...] = ()
    moves: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    within: timedelta | None = None
    deadline: Promise | str = ""
    then: tuple[str, ...] | None = None
    who: Promise | str = ""

    def steps(self) -> Iterator[tuple[str, str, str]]:
        """Yield each move as (model, from, to)."""
        for move in self.moves:
            model, _colon, path = move.partition(": ")
            before, _arrow, after = path.partition(" > ")
            for to in after.split(", "):
                yield model, before, to


@dataclass(frozen=True, slots=True)
class Process:
    """Stages in their order."""

    key: str
    title: Promise
    stages: tuple[Stage, ...]
