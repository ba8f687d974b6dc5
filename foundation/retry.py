"""Deadlocks, serialization failures and lock time-outs: try the whole transaction again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

T = TypeVar("T")

# serialization_failure, deadlock_detected, lock_not_available
_PASSING = frozenset({"40001", "40P01", "55P03"})


def retried(
    work: Callable[[], T],
    *,
    attempts: int = 3,
    passing: Callable[[BaseException], bool] | None = None,
) -> T:
    """
    Run `work`, a whole transaction, up to `attempts` times while the database only asks to come
    back, or `passing` says of another error that it may be different the next time.

    Never call it inside a transaction (raises RuntimeError), and never around a network call: what
    `work` did outside of the database would happen twice. Rule: money-safety sections 4 and 10.
    """
    if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        raise RuntimeError("A part of a transaction cannot be tried again, only the whole.")
    return Retrying(
        retry=retry_if_exception(passing or is_passing),
        stop=stop_after_attempt(attempts),
        wait=wait_random_exponential(multiplier=0.02, max=0.5),
        reraise=True,
    )(work)


def is_passing(error: BaseException) -> bool:
    """Return whether the same transaction may succeed when it is tried again."""
    return (
        isinstance(error, OperationalError)
        and getattr(error.__cause__, "sqlstate", None) in _PASSING
    )


def is_lost(error: BaseException | None) -> bool:
    """Return whether an error is about the connection or time, so that it blames no asker."""
    return isinstance(error, OperationalError | InterfaceError) and not is_passing(error)
