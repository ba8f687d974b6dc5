"""Striking at every commit of some work, once each, and comparing where it all ends."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.core.management import CommandError
from django.db import Error, InterfaceError, connections

from foundation import registries
from tests import databases
from tests.reliability.proxy import Proxy, Strike, between, writing_functions
from tests.reliability.state import State, differences, digest

CUT_OFF = (Error, InterfaceError, CommandError)  # what the product raises when its database is gone
_PATIENCE = 60.0


class Sweep:
    """
    Work that is disturbed at each of its commits, on a clone of the database `base` each time.

    `work` is done behind the proxy; then `finish`, undisturbed, as a person or the beat would do
    it. `sites` says what each commit of the undisturbed work wrote, `expected` how it ended.
    `world` is what stands around one trial, a channel for instance; `judge` says what it finds
    wrong in the end, besides the database.
    """

    def __init__(
        self,
        base: str,
        work: Callable[[], Any],
        finish: Callable[[], Any],
        *,
        world: Callable[[], AbstractContextManager[Any]] = nullcontext,
        judge: Callable[[], list[str]] = list,
    ) -> None:
        self.base, self.work, self.finish = base, work, finish
        self.world, self.judge = world, judge
        self.functions = writing_functions()
        connections.close_all()
        with fresh(self.base, self.world):
            with between(self._proxy()) as proxy:
                work()
            self.sites = proxy.sites
            self.finish()
            self.expected: State = digest()
            assert broken() + self.judge() == []

    def strike(self, how: Strike, at: int) -> list[str]:
        """Disturb the commit number `at`; return what is different in the end, and broken."""
        with fresh(self.base, self.world):
            if how == Strike.LATE:
                self._wake_up_late(at)
            else:
                with between(self._proxy(how, at)) as proxy:
                    self._until_cut_off()
                assert proxy.struck, f"commit {at} never came"
                self.finish()
            return differences(self.expected, digest()) + broken() + self.judge()

    def strike_all(self, how: Strike) -> str:
        """
        Disturb each commit that wrote something, in turn; return what went wrong, as text.
        """
        said = []
        for at, site in enumerate(self.sites, 1):
            if site == "nothing":
                continue
            wrong = self.strike(how, at)
            said += (
                [f"{how.name} {at} ({site}):", *(f"  {line}" for line in wrong)] if wrong else []
            )
        return "\n".join(said)

    def _proxy(self, how: Strike = Strike.DIES_BEFORE, at: int | None = None) -> Proxy:
        return Proxy(os.environ["DATABASE_URL"], self.functions, how, at)

    def _until_cut_off(self) -> None:
        try:
            self.work()
        except CUT_OFF:
            return

    def _wake_up_late(self, at: int) -> None:
        """Let the work sleep after a commit, finish it all elsewhere, and wake it up."""
        asleep, awake = threading.Event(), threading.Event()
        proxy = self._proxy(Strike.LATE, at)
        proxy.meanwhile = lambda: (asleep.set(), awake.wait(_PATIENCE))[1]

        def sleeper() -> None:
            with between(proxy):
                self._until_cut_off()

        thread = threading.Thread(target=sleeper)
        thread.start()
        assert asleep.wait(_PATIENCE), f"commit {at} never came"
        try:
            self.finish()
        finally:
            awake.set()
            thread.join(_PATIENCE)
        assert not thread.is_alive()


@contextmanager
def fresh(base: str, world: Callable[[], AbstractContextManager[Any]]) -> Iterator[None]:
    """Use a clone of `base`, in a world of its own, inside the block."""
    connections.close_all()
    name = databases.clone(base)
    databases.use(name)
    try:
        with world():
            yield
    finally:
        connections.close_all()
        databases.use(base)
        databases.drop(name)


def broken() -> list[str]:
    """Return what `verify` would complain of."""
    return [
        f"{name}: {finding}"
        for name, check in registries.invariant_checks.items()
        for finding in check()
    ]
