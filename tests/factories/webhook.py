"""Endpoints of merchants' programs, receivers that answer as a test wants, and what they heard."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from foundation import clock
from merchants.models import Merchant, WebhookDelivery, WebhookEndpoint
from merchants.services import webhook_delivery as deliveries
from merchants.services import webhook_endpoint as endpoints
from merchants.services.webhook_call import Told
from merchants.services.webhook_delivery import News
from tests.factories.merchants import MerchantFactory

MERCHANT = "merchant.changed"
ACCOUNT = "bank_account.changed"
YES = Told(WebhookDelivery.Answer.ACCEPTED, 200)
NO = Told(WebhookDelivery.Answer.STATUS, 500, "broken")
_numbers = itertools.count(1)


def endpoint(merchant: Merchant | None = None, **asked: Any) -> WebhookEndpoint:
    """Return an active endpoint, of a merchant of its own unless one is given."""
    wanted = {"url": f"https://shop{next(_numbers)}.example.com/hook", "events": [MERCHANT]} | asked
    return endpoints.create(merchant=merchant or MerchantFactory(), at=clock.now(), **wanted)


def told(one: WebhookEndpoint, state: str = "FROZEN", event: str = MERCHANT) -> WebhookDelivery:
    """Return a delivery to an endpoint, as the business writes it."""
    news = News(one.merchant_id, event, one.merchant.merchant_no, state)
    assert deliveries.tell([news], at=clock.now())
    return WebhookDelivery.objects.filter(endpoint=one).latest("id")


@dataclass
class Ear:
    """Stands for the network: keeps what was sent, answers what it is told to answer."""

    answers: list[Told] = field(default_factory=list)
    heard: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, **sent: Any) -> Told:
        self.heard.append(sent)
        return self.answers.pop(0) if self.answers else YES


def send(ear: Ear, *, due: bool = True) -> int:
    """Send what is due; with `due` everything that waits is."""
    if due:
        WebhookDelivery.objects.filter(state="PENDING", owner="").update(next_try_at=clock.now())
        WebhookEndpoint.objects.update(waits_until=None)
    return deliveries.send_due(now=clock.now, post=ear)


@dataclass
class Received:
    """One request as a receiver saw it."""

    path: str
    headers: dict[str, str]
    body: bytes


@contextmanager
def receiver(
    answer: Callable[[BaseHTTPRequestHandler], None] | None = None, tls: Any = None
) -> Iterator[tuple[int, list[Received]]]:
    """Run a receiver on a port of this machine; give the port and what it receives."""
    received: list[Received] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(Received(self.path, dict(self.headers.items()), body))
            if answer is not None:
                return answer(self)
            self.send_response(204)
            self.end_headers()
            return None

        def log_message(self, *_words: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_words: None  # type: ignore[method-assign]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1], received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
