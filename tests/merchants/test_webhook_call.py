"""One call over real sockets: certificates, rebinding, redirections, slow and endless receivers."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from merchants.models import WebhookDelivery
from merchants.services import webhook_address as addresses
from merchants.services import webhook_call as calls
from merchants.services.webhook_address import Address
from tests.factories.webhook import receiver
from tests.merchants.test_webhook_address import PUBLIC, dns

Answer = WebhookDelivery.Answer
NAME = "shop.example.com"


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    """Return a server's context with a certificate that names itself, kept as `folder/<name>`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / name
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def post(address: Address, **more: Any) -> calls.Told:
    return calls.post(address=address, body=b"{}", headers={"webhook-id": "evt_1"}, **more)


def here(port: int, target: str = "/hook") -> Address:
    return Address("http", "127.0.0.1", port, target)


@pytest.fixture(autouse=True)
def _local(settings) -> None:
    settings.WEBHOOK_LOCAL = True


@pytest.fixture
def shop_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server for NAME whose certificate is trusted, at an address that counts as public."""
    context = certificate(tmp_path, NAME)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / NAME))
    monkeypatch.setattr(addresses, "is_public", lambda one: one == "127.0.0.1")
    calls._trust.cache_clear()
    yield context
    calls._trust.cache_clear()


class TestACall:
    def test_sends_the_body_as_it_is(self) -> None:
        with receiver() as (port, received):
            told = post(here(port, "/a?b=c"))

        assert told == calls.Told(Answer.ACCEPTED, 204)
        (seen,) = received
        assert (seen.path, seen.body, seen.headers["webhook-id"]) == ("/a?b=c", b"{}", "evt_1")
        assert seen.headers["Host"] == f"127.0.0.1:{port}"

    def test_keeps_the_beginning_of_an_error_without_what_could_harm_a_page(self) -> None:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            text = b"a\0b\x1b[31m\r\n<script>" + b"x" * 5000
            handler.send_response(503)
            handler.send_header("Content-Length", str(len(text)))
            handler.end_headers()
            handler.wfile.write(text)

        with receiver(answer) as (port, _received):
            told = post(here(port))

        assert (told.answer, told.status) == (Answer.STATUS, 503)
        assert told.text.startswith("a b [31m <script>xxx")
        assert len(told.text) <= 1024
        assert told.text.isprintable()

    def test_follows_no_redirection(self) -> None:
        with receiver() as (inside, received_inside):

            def answer(handler: BaseHTTPRequestHandler) -> None:
                handler.send_response(307)
                handler.send_header("Location", f"http://127.0.0.1:{inside}/")
                handler.end_headers()

            with receiver(answer) as (port, _received):
                told = post(here(port))

        assert told == calls.Told(Answer.REDIRECT, 307)
        assert received_inside == []

    def test_asks_no_proxy_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with receiver() as (proxy, asked), receiver() as (port, received):
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
            monkeypatch.delenv("NO_PROXY", raising=False)
            post(here(port))

        assert (asked, len(received)) == ([], 1)

    def test_says_that_nobody_is_there(self) -> None:
        with receiver() as (port, _received):
            pass

        assert post(here(port)).answer == Answer.UNREACHABLE

    def test_says_that_it_was_no_answer(self) -> None:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
            handler.close_connection = True

        with receiver(answer) as (port, _received):
            assert post(here(port)).answer == Answer.BROKEN


class TestASlowReceiver:
    def drip(self, handler: BaseHTTPRequestHandler, text: bytes) -> None:
        try:
            for letter in text * 200:
                handler.wfile.write(bytes([letter]))
                time.sleep(0.02)
        except OSError:
            handler.close_connection = True

    @pytest.mark.parametrize(
        "begins", [b"", b"HTTP/1.1 500 No\r\nContent-Length: 100000\r\n\r\n"], ids=["head", "body"]
    )
    def test_that_drips_is_left_when_time_is_over(self, begins: bytes) -> None:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(begins)
            self.drip(handler, b"HTTP/1.1 100 ")

        with receiver(answer) as (port, _received):
            began = time.monotonic()
            told = post(here(port), seconds=0.4)
            took = time.monotonic() - began

        assert told.answer == (Answer.STATUS if begins else Answer.TIMEOUT)
        assert took < 1.5

    def test_that_never_ends_is_heard_no_further(self) -> None:
        wrote = []

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(b"HTTP/1.1 400 No\r\nContent-Length: 1000000000\r\n\r\n")
            try:
                for _n in range(10_000):
                    wrote.append(handler.wfile.write(b"y" * 100_000))
            except OSError:
                handler.close_connection = True

        with receiver(answer) as (port, _received):
            told = post(here(port))

        assert told.text == "y" * 1024
        assert sum(wrote) < 100_000_000

    def test_whose_yes_never_ends_has_said_yes(self) -> None:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            self.drip(handler, b"z")

        with receiver(answer) as (port, _received):
            assert post(here(port), seconds=0.4) == calls.Told(Answer.ACCEPTED, 200)


class TestAName:
    def test_is_asked_once_and_the_checked_address_is_called_under_the_name(
        self, monkeypatch: pytest.MonkeyPatch, shop_tls: ssl.SSLContext
    ) -> None:
        with receiver(tls=shop_tls) as (port, received):
            asked = dns(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
            told = post(Address("https", NAME, port, "/hook"))

        assert told == calls.Told(Answer.ACCEPTED, 204)
        assert asked == [NAME]
        assert received[0].headers["Host"] == f"{NAME}:{port}"

    def test_that_leads_elsewhere_a_moment_later_is_called_where_it_was_checked(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Rebinding: the first answer is public, every later one is ours."""
        asked = dns(monkeypatch, [PUBLIC], ["127.0.0.1"])
        called: list[str] = []

        def connect(self: Any, host: str, port: int, **_more: Any) -> Any:
            called.append(host)
            raise httpcore.ConnectError

        monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
        told = post(Address("https", NAME, 443, "/"))

        assert (told.answer, asked, called) == (Answer.UNREACHABLE, [NAME], [PUBLIC])

    @pytest.mark.parametrize("inside", ["127.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"])
    def test_that_leads_inside_is_not_called(
        self, monkeypatch: pytest.MonkeyPatch, inside: str
    ) -> None:
        with receiver() as (port, received):
            dns(monkeypatch, [inside])
            told = post(Address("http", NAME, port, "/"))

        assert (told.answer, received) == (Answer.REFUSED, [])

    def test_with_another_ones_certificate_is_not_told_anything(
        self, monkeypatch: pytest.MonkeyPatch, shop_tls: ssl.SSLContext, tmp_path: Path
    ) -> None:
        with receiver(tls=shop_tls) as (port, received):
            dns(monkeypatch, ["127.0.0.1"])
            told = post(Address("https", "other.example.com", port, "/"))

        assert (told.answer, received) == (Answer.CERTIFICATE, [])

    def test_with_a_certificate_nobody_vouches_for_is_not_told_anything(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(addresses, "is_public", lambda one: True)
        calls._trust.cache_clear()
        with receiver(tls=certificate(tmp_path, NAME)) as (port, received):
            dns(monkeypatch, ["127.0.0.1"])
            told = post(Address("https", NAME, port, "/"))

        assert (told.answer, received) == (Answer.CERTIFICATE, [])
