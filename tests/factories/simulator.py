"""The simulated channel in a thread of the test, and what tests tell and ask it."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings

from channels.simulator import server

PATIENCE = {"connect_timeout": 0.5, "write_timeout": 0.5, "read_timeout": 0.3}


class Simulated:
    """A running simulator: its URL, its control doors, its book."""

    def __init__(self, running: server.Server) -> None:
        self.server, self.url = running, running.url

    @property
    def config(self) -> dict[str, Any]:
        """What the adapter needs, with little patience."""
        secret = settings.CHANNEL_SIMULATOR["secret"]
        return {"base_url": self.url, "secret": secret, **PATIENCE}

    def rule(self, **rule: Any) -> None:
        """Say how the next order that fits is treated."""
        self.control("rules", rule)

    def control(self, door: str, given: Any) -> dict[str, Any]:
        """POST to a control door."""
        request = urllib.request.Request(
            f"{self.url}/control/{door}", json.dumps(given).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return dict(json.load(answer))

    def book(self) -> dict[str, Any]:
        """Return what it really did."""
        with urllib.request.urlopen(f"{self.url}/control/book", timeout=5) as answer:
            return dict(json.load(answer))

    def paid(self) -> list[str]:
        """Return the numbers of the orders it really paid, once per payment."""
        return [row["order_no"] for row in self.book()["movements"] if row["kind"] == "PAID"]

    def submissions(self, order_no: str) -> int:
        """Return how often an order was handed in."""
        found = [row for row in self.book()["orders"] if row["order_no"] == order_no]
        return int(found[0]["submissions"]) if found else 0


@contextmanager
def running(folder: Path, port: int = 0) -> Iterator[Simulated]:
    """Run a simulator in a thread; its book lies in `folder`."""
    made = server.serve(port=port, book=folder, secret=settings.CHANNEL_SIMULATOR["secret"])
    thread = threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Simulated(made)
    finally:
        made.shutdown()
        made.server_close()
        thread.join(timeout=5)
