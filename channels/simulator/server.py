"""The simulated channel's HTTP doors: orders, queries, day files, and the control of tests."""

from __future__ import annotations

import json
import logging
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from channels.simulator import protocol, statement
from channels.simulator.book import Book
from channels.simulator.engine import Engine, OrderMalformed, Told, callback_from
from channels.simulator.script import Rule, RuleMalformed

log = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 65_536
HANG_SECONDS: Final = 60.0  # a time-out: we say nothing for so long, then drop the connection


class Server(ThreadingHTTPServer):
    """The simulator's server; `engine` is the channel behind it."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int] | socket.socket, engine: Engine) -> None:
        self.engine = engine
        if not isinstance(address, socket.socket):
            super().__init__(address, Handler)
            return
        super().__init__(address.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = address  # somebody listens on it already, and hands it over

    @property
    def url(self) -> str:
        """The base URL of this server."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def server_close(self) -> None:
        """Stop listening and the clockwork, close the book."""
        super().server_close()
        self.engine.clockwork.stop()
        self.engine.book.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that hang up: time-outs are our daily bread."""
        log.debug("simulator: a connection ended early", exc_info=True)


def serve(
    *,
    port: int,
    book: Path,
    secret: str,
    callback_url: str = "",
    host: str = "127.0.0.1",
    door: socket.socket | None = None,
) -> Server:
    """Return a server bound to the port (0 picks a free one) or a listening door, not serving."""
    keys = protocol.Keys.derive(secret)
    engine = Engine(book=Book(book / "book.jsonl"), keys=keys, callback_url=callback_url)
    return Server(door or (host, port), engine)


class Handler(BaseHTTPRequestHandler):
    """One connection. Everything but `/control/` and `/health` is signed in both directions."""

    protocol_version = "HTTP/1.1"
    server_version = "simulator"
    server: Server

    def do_POST(self) -> None:
        """Answer a POST."""
        body = self._body()
        if body is None:
            return
        if self.path == "/payouts":
            self._signed(body, lambda: self.server.engine.pay_out(body))
        elif self.path == "/elements":
            self._signed(body, lambda: self.server.engine.check_elements(body))
        elif self.path.startswith("/control/"):
            self._control(self.path.removeprefix("/control/"), body)
        else:
            self._plain(404, {"error": "no such door"})

    def do_GET(self) -> None:
        """Answer a GET."""
        engine = self.server.engine
        if self.path.startswith("/payouts/"):
            order_no = unquote(self.path.removeprefix("/payouts/"))
            self._signed(b"", lambda: engine.query(order_no))
        elif self.path.startswith("/statements/"):
            self._statement(self.path.removeprefix("/statements/").removesuffix(".csv"))
        elif self.path == "/control/book":
            orders = [asdict(order) for order in engine.book.orders()]
            movements = [asdict(movement) for movement in engine.book.movements()]
            self._plain(200, {"orders": orders, "movements": movements})
        elif self.path == "/health":
            self._plain(200, {"status": "ok"})
        else:
            self._plain(404, {"error": "no such door"})

    def log_message(self, format: str, *args: Any) -> None:
        """Log quietly; no body is ever logged."""
        log.debug(format, *args)

    def _body(self) -> bytes | None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY_BYTES:
            self.close_connection = True
            self._plain(413, {"error": "too large"})
            return None
        return self.rfile.read(length)

    def _signed(self, body: bytes, work: Callable[[], Told]) -> None:
        if not self._request_is_signed(body):
            self._send(401, {"order_no": "", "status": "FAILED", "code": "BAD_SIGNATURE"})
            return
        try:
            told = work()
        except OrderMalformed as error:
            said = {"order_no": "", "status": "FAILED", "code": "MALFORMED", "message": str(error)}
            self._send(400, said)
            return
        time.sleep(told.latency)
        self._disturbed(told)

    def _request_is_signed(self, body: bytes) -> bool:
        timestamp = self.headers.get(protocol.TIMESTAMP, "")
        nonce = self.headers.get(protocol.NONCE, "")
        if not timestamp.isdigit() or not nonce:
            return False
        if abs(time.time() - int(timestamp)) > protocol.WINDOW_SECONDS:
            return False
        text = protocol.request_text(self.command, self.path, timestamp, nonce, body)
        key = self.server.engine.keys.client.public_key()
        return protocol.verified(key, self.headers.get(protocol.SIGNATURE, ""), text)

    def _disturbed(self, told: Told) -> None:
        """Say the truth, something else, or nothing."""
        match told.disturbance:
            case "timeout":
                self._hang()
            case "reset":
                self._reset()
            case "garbage":
                self._bytes(200, b"<html>502 Bad Gateway</html>", {})
            case "empty":
                self._bytes(200, b"", {})
            case "http_500":
                self._send(500, {"error": "internal"})
            case "http_429":
                self._send(429, {"error": "slow down"})
            case "unsigned":
                self._bytes(told.http_status, json.dumps(told.body).encode(), {})
            case "forged":
                self._send(told.http_status, told.body, key="client")
            case "stale":
                self._send(told.http_status, told.body, nonce="an-older-request")
            case "not_found":
                self._send(404, self.server.engine.disturb(told.body, "not_found"))
            case disturbance:
                said = self.server.engine.disturb(told.body, disturbance)
                self._send(told.http_status, said)

    def _statement(self, text: str) -> None:
        if not self._request_is_signed(b""):
            self._send(401, {"code": "BAD_SIGNATURE"})
            return
        try:
            day = date.fromisoformat(text)
        except ValueError:
            self._send(400, {"code": "MALFORMED"})
            return
        body = statement.write(self.server.engine.book.movements(day))
        self._bytes(200, body, self._signature(200, body, self.headers.get(protocol.NONCE, "")))

    def _control(self, door: str, body: bytes) -> None:
        """Doors for tests and the demo; the server listens on loopback only."""
        engine = self.server.engine
        try:
            given = json.loads(body or b"{}")
            match door:
                case "rules":
                    rules = given if isinstance(given, list) else [given]
                    engine.script.add([Rule.read(rule) for rule in rules])
                case "reset-rules":
                    engine.script.clear()
                case "default":
                    engine.script.default = Rule.read({"times": None, **given})
                case "cards":
                    engine.cards.add(engine.digest_of(given))
                case "callbacks":
                    engine.call_back(str(given["order_no"]), callback_from(given))
                case "return":
                    self._plain(200, {"returned": engine.take_back(str(given["order_no"]))})
                    return
                case "callback-url":
                    engine.callback_url = str(given["url"])
                    engine.always_call_back = bool(given.get("always", engine.always_call_back))
                case _:
                    self._plain(404, {"error": "no such door"})
                    return
        except (KeyError, TypeError, ValueError, RuleMalformed) as error:
            self._plain(400, {"error": repr(error)})
            return
        self._plain(200, {"done": door})

    def _hang(self) -> None:
        """Say nothing until the other side gives up."""
        self.close_connection = True
        self.connection.settimeout(HANG_SECONDS)
        try:
            while self.connection.recv(1024):
                pass
        except OSError:
            return

    def _reset(self) -> None:
        """Cut the connection so that the other side sees a reset, not an end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _send(
        self, status: int, said: dict[str, Any], *, key: str = "channel", nonce: str | None = None
    ) -> None:
        body = json.dumps(said, sort_keys=True).encode()
        asked = self.headers.get(protocol.NONCE, "") if nonce is None else nonce
        self._bytes(status, body, self._signature(status, body, asked, key))

    def _signature(
        self, status: int, body: bytes, nonce: str, key: str = "channel"
    ) -> dict[str, str]:
        timestamp = str(int(time.time()))
        text = protocol.answer_text(status, timestamp, nonce, body)
        keys = self.server.engine.keys
        private = keys.channel if key == "channel" else keys.client
        return {protocol.TIMESTAMP: timestamp, protocol.SIGNATURE: protocol.sign(private, text)}

    def _plain(self, status: int, said: dict[str, Any]) -> None:
        self._bytes(status, json.dumps(said, sort_keys=True).encode(), {})

    def _bytes(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
