"""One call of a merchant's program: to public addresses only, in bounded time, hearing little."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import httpcore
import httpx

from merchants.models.webhook_delivery import MAX_TEXT, WebhookDelivery
from merchants.services import webhook_address
from merchants.services.webhook_address import Address

TOTAL_SECONDS: Final = 10.0  # for name, connection, handshake, request and answer together
Answer = WebhookDelivery.Answer


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one call; `text` is the beginning of the answer, cleaned for display."""

    answer: WebhookDelivery.Answer
    status: int | None = None
    text: str = ""


def post(
    *, address: Address, body: bytes, headers: Mapping[str, str], seconds: float = TOTAL_SECONDS
) -> Told:
    """
    Send a body once and return what came of it; whatever goes wrong is an answer too.

    The name is resolved once, and the connection goes to an address that was checked, under the
    name's certificate. No redirection is followed, no proxy asked, at most MAX_TEXT bytes are kept.
    A network call: never inside a transaction. Rule: WHK-4, WHK-9 (docs/rules/webhooks.md).
    """
    deadline = time.monotonic() + seconds
    try:
        with httpcore.ConnectionPool(
            ssl_context=_trust(), max_connections=1, network_backend=_Checked(deadline)
        ) as pool:
            return _exchange(pool, address, body, headers)
    except webhook_address.NotPublic:
        return Told(Answer.REFUSED)
    except webhook_address.Unresolved:
        return Told(Answer.UNRESOLVED)
    except (httpcore.TimeoutException, TimeoutError):
        return Told(Answer.TIMEOUT)
    except _Unproved:
        return Told(Answer.CERTIFICATE)
    except httpcore.ConnectError:
        return Told(Answer.UNREACHABLE)
    except (httpcore.NetworkError, httpcore.ProtocolError):
        return Told(Answer.BROKEN)


def _exchange(
    pool: httpcore.ConnectionPool, address: Address, body: bytes, headers: Mapping[str, str]
) -> Told:
    url = httpcore.URL(
        scheme=address.scheme, host=address.host, port=address.port, target=address.target
    )
    sent = {"Host": str(address).split("/")[2], "Content-Length": str(len(body)), **headers}
    with pool.stream("POST", url, headers=list(sent.items()), content=body) as answer:
        if 300 <= answer.status < 400:
            return Told(Answer.REDIRECT, answer.status)
        accepted = 200 <= answer.status < 300
        # Nothing is read of a yes: it is one whether or not its text ever ends.
        text = "" if accepted else _cleaned(_beginning(answer.iter_stream()))
        return Told(Answer.ACCEPTED if accepted else Answer.STATUS, answer.status, text)


def _beginning(parts: Iterable[bytes]) -> bytes:
    """Read the beginning of an answer; what cannot be read is not worth more."""
    read = b""
    try:
        for part in parts:
            read += part[:MAX_TEXT]
            if len(read) >= MAX_TEXT:
                break
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        pass
    return read[:MAX_TEXT]


def _cleaned(read: bytes) -> str:
    text = "".join(
        letter if letter.isprintable() else " " for letter in read.decode("utf-8", "replace")
    )
    return " ".join(text.split())[:MAX_TEXT]


@cache
def _trust() -> ssl.SSLContext:
    """Return the authorities that are trusted; SSL_CERT_FILE names others, as everywhere."""
    return httpx.create_ssl_context()


class _Unproved(Exception):
    """Who answers cannot prove to be who was called."""


class _Checked(httpcore.NetworkBackend):
    """Connects to an address that was checked and to nothing else, until a deadline."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._sockets = httpcore.SyncBackend()

    def left(self) -> float:
        """Return the seconds that are left. Raises httpcore.ReadTimeout when there are none."""
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise httpcore.ReadTimeout
        return seconds

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolve the name once, check it, and connect to what was checked."""
        refused: httpcore.ConnectError | None = None
        for one in webhook_address.resolve(host, port, within=self.left())[:3]:
            try:
                found = self._sockets.connect_tcp(one, port, timeout=self.left())
            except httpcore.ConnectError as error:
                refused = error
            else:
                return _Bounded(found, self)
        raise refused or httpcore.ConnectError(host)

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        """Refuse: a program of a merchant's is not on this machine."""
        raise httpcore.ConnectError("no sockets of this machine")


class _Bounded(httpcore.NetworkStream):
    """A connection whose every step ends at one deadline, however slowly the other side drips."""

    def __init__(self, stream: httpcore.NetworkStream, backend: _Checked) -> None:
        self._stream, self._backend = stream, backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what comes before the deadline."""
        return self._stream.read(max_bytes, timeout=self._backend.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write before the deadline."""
        self._stream.write(buffer, timeout=self._backend.left())

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Shake hands before the deadline; the certificate is that of the name, or _Unproved."""
        left = self._backend.left()
        try:
            over = self._stream.start_tls(ssl_context, server_hostname, timeout=left)
        except httpcore.ConnectError as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                raise _Unproved from error
            raise
        return _Bounded(over, self._backend)

    def get_extra_info(self, info: str) -> Any:
        """Return what the connection tells of itself."""
        return self._stream.get_extra_info(info)
