"""Calls that are made at the same moment, each by a thread with a connection of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from django.db import connection


def at_once(*calls: Callable[[], object]) -> Counter[str]:
    """Run the calls at the same moment; return how each ended, by name."""
    gate = Barrier(len(calls))

    def one(call: Callable[[], object]) -> str:
        try:
            gate.wait(timeout=20)
            call()
            return "done"
        except Exception as error:
            return type(error).__name__
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return Counter(pool.map(one, calls))
