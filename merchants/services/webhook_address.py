"""Addresses of merchants' programs: what may be entered, and where a name leads when it is used."""

from __future__ import annotations

import contextlib
import ipaddress
import queue
import re
import socket
import threading
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _

from config.errors import Malformed
from merchants.models.webhook_endpoint import MAX_URL

PORTS: Final = (443, 8443)
LOCAL: Final = "127.0.0.1"  # with WEBHOOK_LOCAL, for development alone
_SHAPE: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[^/?#:@\[\]\\\s]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>[/?][!-~]*)?"
)
_HOST: Final = re.compile(r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]+")
_UNICAST: Final = ipaddress.ip_network("2000::/3")  # of IPv6, all that is given out as public


class AddressMalformed(Malformed):
    """It is no https address of a public host."""

    code = "webhook_address_malformed"


class NotPublic(Exception):
    """A name leads to an address that is not public; nothing was sent."""


class Unresolved(Exception):
    """A name leads nowhere; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address in its parts, so that nobody after us reads it in another way."""

    scheme: str
    host: str
    port: int
    target: str

    def __str__(self) -> str:
        usual = {"https": 443, "http": 80}[self.scheme]
        port = "" if self.port == usual else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{self.target}"


def parse(text: str) -> Address:
    """
    Return an address in its one form.

    Raises AddressMalformed. Rule: WHK-3 (docs/rules/webhooks.md).
    """
    shape = _SHAPE.fullmatch(text.strip())
    if len(text) > MAX_URL or shape is None or re.search(r'[\\#"<>]', text):
        raise _malformed()
    host, target = _ascii(shape["host"].lower()), shape["target"] or "/"
    target = target if target.startswith("/") else f"/{target}"
    if settings.WEBHOOK_LOCAL and (shape["scheme"], host) == ("http", LOCAL) and shape["port"]:
        return Address("http", LOCAL, int(shape["port"]), target)
    port = int(shape["port"] or 443)
    last = host.rpartition(".")[2]
    named = _HOST.fullmatch(host) and not re.fullmatch(r"[0-9]+|0x[0-9a-f]*", last)
    if shape["scheme"] != "https" or not named:
        raise _malformed()
    if port not in PORTS:
        raise AddressMalformed(
            _("Only the ports %(ports)s are called.") % {"ports": ", ".join(map(str, PORTS))},
            field="url",
        )
    return Address("https", host, port, target)


def resolve(host: str, port: int, *, within: float) -> list[str]:
    """
    Return the network addresses a name leads to at this moment, all of them public.

    Whoever connects does so to one of these and asks no second time: a name may lead elsewhere a
    moment later. With WEBHOOK_LOCAL the one address of this machine is let through by its number.
    Raises NotPublic, Unresolved, TimeoutError after `within` seconds. Rule: WHK-4.
    """
    if settings.WEBHOOK_LOCAL and host == LOCAL:
        return [LOCAL]
    found = _looked_up(host, port, within)
    if not found:
        raise Unresolved(host)
    if not all(is_public(one) for one in found):
        raise NotPublic(host)
    return found


def is_public(text: str) -> bool:
    """
    Return whether a network address is one that anybody on the internet may have.

    Forms in which IPv6 carries an IPv4 address (mapped, compatible, 6to4, Teredo, NAT64) are never:
    they may lead into our own network. Networks of WEBHOOK_REFUSED_NETWORKS are not either.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv6Address) and (
        address not in _UNICAST or address.sixtofour is not None or address.teredo is not None
    ):
        return False
    refused = (ipaddress.ip_network(one) for one in settings.WEBHOOK_REFUSED_NETWORKS)
    return not any(address in network for network in refused)


def _looked_up(host: str, port: int, within: float) -> list[str]:
    """Ask the resolver, which knows no time limit of its own, in a thread that may be left."""
    answers: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()

    def ask() -> None:
        found = None
        with contextlib.suppress(OSError, UnicodeError):
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(row[4][0]) for row in rows))
        answers.put(found)

    threading.Thread(target=ask, daemon=True).start()
    try:
        return answers.get(timeout=max(within, 0.001)) or []
    except queue.Empty:
        raise TimeoutError(host) from None


def _ascii(host: str) -> str:
    """Return a name as DNS writes it; a Chinese one in its ASCII form."""
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        raise _malformed() from None


def _malformed() -> AddressMalformed:
    return AddressMalformed(
        _("An address looks like https://shop.example.com/webhooks, with a name that is public."),
        field="url",
    )
