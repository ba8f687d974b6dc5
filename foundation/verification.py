"""
What a person must prove before an act, as the packages declare it: operations, factors, proofs.

`merchants` runs the verification; a factor of a higher floor (bank-card elements through a channel)
and an operation of one (a withdrawal) come in by the registries (docs/rules/verification.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from config.errors import DomainError

if TYPE_CHECKING:
    from django.utils.functional import Promise

    from foundation.models import User


class FactorLocked(DomainError):
    """Too many wrong proofs of this factor: nothing is compared until the lock ends."""

    code = "factor_locked"
    http_status = 403


class FactorUndecided(DomainError):
    """Nobody can say whether the proof is right (a channel did not answer): it does not pass."""

    code = "factor_undecided"
    http_status = 503


@dataclass(frozen=True, slots=True)
class ProofField:
    """One thing to type in for a factor; `name` is unique over all factors. All is secret."""

    name: str
    label: str | Promise
    max_length: int = 128
    numeric: bool = False
    hidden: bool = True  # typed as a password is
    complete: str = "off"  # what the browser may fill in


@dataclass(frozen=True, slots=True)
class Presented:
    """Proofs as a person gave them for one verification request; `given` is never stored."""

    merchant_id: int
    user: User
    request_id: int
    at: datetime
    given: Mapping[str, str] = field(repr=False)


def _prepares_nothing(presented: Presented) -> None:
    """Most factors need nothing sent first."""


@dataclass(frozen=True, slots=True)
class VerificationFactor:
    """
    One way to prove who somebody is.

    `check` passes, or raises DomainError with the reason, having counted the failure by itself.
    `prepare` runs when the factor's turn comes (a code is sent). `level` says how much the proof is
    worth (1 lowest) and is kept with each attempt. `by_others`: somebody else gives it once the
    person's own proofs are right, and the request stays open until then; it has no fields and no
    check. `prepares` offers to prepare once more.
    """

    name: str
    title: str | Promise
    level: int
    fields: tuple[ProofField, ...] = ()
    check: Callable[[Presented], None] | None = None
    prepare: Callable[[Presented], None] = _prepares_nothing
    by_others: bool = False

    @property
    def prepares(self) -> bool:
        """Return whether something is sent before the proof can be given."""
        return self.prepare is not _prepares_nothing and not self.by_others


def _no_payee(*, merchant_id: int, payee: str) -> str:
    """Most operations pay nobody."""
    return ""


@dataclass(frozen=True, slots=True)
class VerifiedOperation:
    """
    An act that needs proofs: its name in code, how people call it, the abilities it asks for (any
    one of them).

    `payee` tells people what the payee of a request stands for, masked ("" for nobody). `resume`
    (merchant_id, number) gives the page on which a person goes on with a request that waited for
    others; without one the operation cannot wait.
    """

    name: str
    title: str | Promise
    abilities: tuple[str, ...]
    payee: Callable[..., str] = _no_payee
    resume: Callable[..., str] | None = None


StepUp = Callable[..., bool]  # (*, user: User, at: datetime): is more proof needed for a while


@dataclass(frozen=True, slots=True)
class Letter:
    """A short message to one person: what its subject and text say, in his language."""

    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)


Sender = Callable[[Letter], Any]  # raises when the message could not be handed over
