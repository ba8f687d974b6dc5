"""Callbacks of the simulated channel: late, doubled, forged and contradictory ones too."""

from __future__ import annotations

import heapq
import http.client
import itertools
import logging
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

RETRY_SECONDS = (1.0, 5.0, 15.0, 60.0)  # until somebody answers the success word


class Clockwork:
    """One thread that runs things at their time. What raises is logged and forgotten."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._wake = threading.Condition()
        self._running = True
        self._thread = threading.Thread(target=self._run, name="simulator-clockwork", daemon=True)
        self._thread.start()

    def after(self, seconds: float, work: Callable[[], None]) -> None:
        """Run `work` once, `seconds` from now."""
        with self._wake:
            moment = time.monotonic() + seconds
            heapq.heappush(self._heap, (moment, next(self._order), work))
            self._wake.notify()

    def stop(self) -> None:
        """End the thread; what has not come due is dropped."""
        with self._wake:
            self._running = False
            self._wake.notify()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            with self._wake:
                while self._running and (not self._heap or self._heap[0][0] > time.monotonic()):
                    pause = self._heap[0][0] - time.monotonic() if self._heap else None
                    self._wake.wait(pause)
                if not self._running:
                    return
                _moment, _order, work = heapq.heappop(self._heap)
            try:
                work()
            except Exception:
                log.exception("simulator: something due failed")


def deliver(url: str, body: bytes, headers: dict[str, str]) -> str:
    """POST a callback and return the answer's text; a failure is returned as text too."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.read(200).decode("utf-8", "replace") if answer.status == 200 else ""
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        log.info("simulator: nobody took the callback: %r", error)
        return ""
