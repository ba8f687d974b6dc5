"""News that the channel really signed and that still must not be taken for what they resemble."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.conf import settings

from channels.adapters import simulator
from channels.adapters.base import CallbackRefused, Kind, Payee, PayoutOrder, StatementUnavailable
from channels.adapters.simulator import Simulator
from channels.simulator import protocol
from foundation.money import Money

AT = datetime(2026, 3, 2, 4, tzinfo=UTC)
NUMBER = "W26030000017-000001-1"
SAID = {"order_no": NUMBER, "code": "OK", "amount": 50_00, "currency": "CNY"}
ORDER = PayoutOrder(NUMBER, Money(50_00, "CNY"), Payee("6222020200012345678", "Ann", "ICBC"))


def adapter(url: str = "http://127.0.0.1:9") -> Simulator:
    config = settings.CHANNEL_SIMULATOR | {
        "base_url": url,
        "connect_timeout": 0.5,
        "write_timeout": 0.5,
        "read_timeout": 0.5,
    }
    return Simulator(config=config, meanings={"OK": Kind.SUCCESS})


def keys() -> protocol.Keys:
    return protocol.Keys.derive(settings.CHANNEL_SIMULATOR["secret"])


def signed(raw: bytes, timestamp: str = str(int(AT.timestamp()))) -> dict[str, str]:
    """Return the headers with which the channel itself would send these bytes."""
    text = protocol.callback_text(timestamp, raw)
    return {
        protocol.TIMESTAMP: timestamp,
        protocol.SIGNATURE: protocol.sign(keys().channel, text),
    }


def hear(raw: bytes, **changes):
    return adapter().verify_callback(headers=signed(raw, **changes), raw=raw, at=AT)


def with_(**changes) -> bytes:
    return json.dumps(SAID | changes).encode()


@pytest.mark.transport
class TestSignedCallback:
    def test_is_heard(self):
        said = hear(with_(payee_digest="ab"))

        assert (said.kind, said.order_no, said.amount) == (Kind.SUCCESS, NUMBER, ORDER.amount)

    @pytest.mark.parametrize(
        "raw",
        [
            with_(currency="CNYX"),
            with_(currency="cny"),
            with_(currency="CNY "),
            with_(currency="ＣＮＹ"),
            with_(order_no=NUMBER + "\u200b"),
            with_(order_no=NUMBER + "é"),
            with_(order_no=NUMBER + " " * 60 + "x"),
            with_(code="OK\u0000"),
            with_(payee_digest=["ab"]),
            with_(payee_digest="ab\u200b"),
            with_(amount=50_00.0),
            with_(amount="5000"),
            with_(amount=True),
            with_(amount=10**15 + 1),
            with_(amount=10**30),
            with_(amount=-(10**30)),
            with_(amount=None),
            with_().replace(b'"amount": 5000', b'"amount": NaN'),
            with_().replace(b'"amount": 5000', b'"amount": 1, "amount": 5000'),
            with_().replace(b'"code"', b'"order_no": "W26030000018-000001-1", "code"', 1),
            with_().replace(b'"code"', b'"code": "ACCOUNT_CLOSED", "code"', 1),
            b"[]",
            b"null",
            b"",
            b"\xff\xfe",
            b'{"order_no"',
            b"[" * 5_000,
            b'{"a":' * 5_000,
            b"1" * 5_000,
        ],
        ids=lambda raw: raw[:70].decode("ascii", "replace"),
    )
    def test_is_refused_where_it_only_resembles_ours(self, raw):
        with pytest.raises(CallbackRefused):
            hear(raw)

    @pytest.mark.parametrize("seconds", ["", "-1", "1e9", "９", "²", "9" * 5_000, "0", " 1", "1.0"])
    def test_is_refused_without_a_time_that_is_one(self, seconds):
        with pytest.raises(CallbackRefused):
            hear(with_(), timestamp=seconds)

    @pytest.mark.parametrize(("late", "heard"), [(300, True), (301, False), (-301, False)])
    def test_is_refused_when_it_is_played_again_later(self, late, heard):
        moment = str(int(AT.timestamp()) - late)

        if heard:
            assert hear(with_(), timestamp=moment).kind == Kind.SUCCESS
        else:
            with pytest.raises(CallbackRefused):
                hear(with_(), timestamp=moment)

    def test_is_refused_under_the_signature_of_an_answer(self):
        raw, now = with_(), str(int(AT.timestamp()))
        text = protocol.answer_text(200, now, "n", raw)
        headers = {
            protocol.TIMESTAMP: now,
            protocol.SIGNATURE: protocol.sign(keys().channel, text),
        }

        with pytest.raises(CallbackRefused):
            adapter().verify_callback(headers=headers, raw=raw, at=AT)

    def test_is_refused_under_our_own_signature(self):
        raw, now = with_(), str(int(AT.timestamp()))
        own = protocol.sign(keys().client, protocol.callback_text(now, raw))

        with pytest.raises(CallbackRefused):
            adapter().verify_callback(
                headers={protocol.TIMESTAMP: now, protocol.SIGNATURE: own}, raw=raw, at=AT
            )


@contextmanager
def answering(body: bytes, *, encoding: str = "", pause: float = 0) -> Iterator[str]:
    """A channel that signs one answer to whatever it is asked."""
    stop = threading.Event()

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            now, nonce = str(int(AT.timestamp())), self.headers[protocol.NONCE]
            text = protocol.answer_text(200, now, nonce, body)
            self.send_response(200)
            self.send_header(protocol.TIMESTAMP, now)
            self.send_header(protocol.SIGNATURE, protocol.sign(keys().channel, text))
            self.send_header("Content-Length", str(len(body)))
            if encoding:
                self.send_header("Content-Encoding", encoding)
            self.end_headers()
            try:
                for place in range(0, len(body), 64):
                    self.wfile.write(body[place : place + 64])
                    if pause and stop.wait(pause):
                        return
            except OSError:
                pass  # the client has heard enough

        do_GET = do_POST  # the name is http.server's

        def log_message(self, *args: object) -> None:
            pass

    listener = HTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}"
    finally:
        stop.set()
        listener.shutdown()
        listener.server_close()
        thread.join(5)


@pytest.mark.transport
class TestSignedAnswer:
    def test_is_heard(self):
        with answering(with_()) as url:
            assert adapter(url).pay_out(ORDER).kind == Kind.SUCCESS

    @pytest.mark.parametrize(
        "body",
        [
            with_(currency="CNYX"),
            with_(order_no=NUMBER + "\u200b"),
            with_(amount=10**30),
            with_().replace(b'"amount": 5000', b'"amount": 1, "amount": 5000'),
            with_(note="x" * simulator.MAX_ANSWER_BYTES),
        ],
        ids=["currency", "number", "amount", "twice", "long"],
    )
    def test_is_unknown_where_it_only_resembles_ours(self, body):
        with answering(body) as url:
            said = adapter(url).pay_out(ORDER)

        assert (said.kind, said.order_no, said.verified) == (Kind.UNKNOWN, NUMBER, False)
        assert said.doubt

    def test_is_unknown_when_it_is_packed(self):
        with answering(gzip.compress(with_()), encoding="gzip") as url:
            assert adapter(url).query_payout(NUMBER).kind == Kind.UNKNOWN

    def test_is_unknown_when_it_does_not_end(self, monkeypatch):
        monkeypatch.setattr(simulator, "MAX_ANSWER_SECONDS", 0.2)
        with answering(with_(note="x" * 10_000), pause=0.05) as url:
            said = adapter(url).pay_out(ORDER)

        assert (said.kind, said.doubt) == (Kind.UNKNOWN, "the answer does not end")

    def test_is_no_day_file_when_it_is_too_long(self, monkeypatch):
        monkeypatch.setattr(simulator, "MAX_STATEMENT_BYTES", 100)
        with answering(b"x" * 101) as url, pytest.raises(StatementUnavailable):
            adapter(url).fetch_statement(AT.date())
