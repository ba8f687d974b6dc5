"""The simulated channel and its client: what is paid, what is said, and what is believed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from django.conf import settings

from channels.adapters.base import (
    CallbackRefused,
    Evidence,
    Kind,
    NothingLeft,
    Payee,
    PayoutOrder,
    StatementRefused,
    StatementUnavailable,
)
from channels.adapters.simulator import Simulator
from channels.simulator import protocol
from channels.simulator.book import ZONE, Book
from foundation import clock
from foundation.money import Money
from tests.factories import simulator as simulators
from tests.factories.simulator import Simulated

PAYEE = Payee("6222020200012345678", "上海晨光商贸有限公司", "中国工商银行")
MEANINGS = {
    "OK": Kind.SUCCESS,
    "IN_PROCESS": Kind.PROCESSING,
    "ACCOUNT_CLOSED": Kind.FAILED_CODE,
    "RETURNED_BY_BANK": Kind.RETURNED,
    "ORDER_NOT_FOUND": Kind.NOT_FOUND,
}
DOUBTFUL = ["timeout", "reset", "garbage", "empty", "http_500", "http_429"]
DOUBTFUL += ["unsigned", "forged", "stale", "code:SYSTEM_BUSY"]
ORDER = PayoutOrder("W26110000017-000001-1", Money(50_00, "CNY"), PAYEE)


@pytest.fixture
def channel(tmp_path: Path):
    with simulators.running(tmp_path) as running:
        yield running


def client(channel: Simulated) -> Simulator:
    return Simulator(config=channel.config, meanings=MEANINGS)


class TestPayOut:
    def test_pays_and_names_amount_payee_and_order(self, channel):
        adapter = client(channel)

        said = adapter.pay_out(ORDER)

        assert said.kind == Kind.SUCCESS
        assert (said.order_no, said.amount) == (ORDER.order_no, Money(50_00, "CNY"))
        assert said.payee_hash == adapter.payee_hash(PAYEE)
        assert said.verified
        assert PAYEE.number.encode() not in said.raw
        assert channel.paid() == [ORDER.order_no]

    def test_the_same_order_again_is_the_same_order(self, channel):
        adapter = client(channel)

        first, second = adapter.pay_out(ORDER), adapter.pay_out(ORDER)

        assert second.channel_no == first.channel_no
        assert channel.paid() == [ORDER.order_no]
        assert channel.submissions(ORDER.order_no) == 2

    def test_the_same_number_with_other_content_is_unknown(self, channel):
        adapter = client(channel)
        adapter.pay_out(ORDER)

        said = adapter.pay_out(PayoutOrder(ORDER.order_no, Money(50_01, "CNY"), PAYEE))

        assert (said.kind, said.code) == (Kind.UNKNOWN, "ORDER_CONTENT_DIFFERS")
        assert channel.paid() == [ORDER.order_no]

    def test_knows_that_nothing_left_when_nobody_listens(self, channel):
        adapter = Simulator(
            config=channel.config | {"base_url": "http://127.0.0.1:9"}, meanings=MEANINGS
        )

        with pytest.raises(NothingLeft):
            adapter.pay_out(ORDER)

    @pytest.mark.parametrize(
        "answer",
        DOUBTFUL,
    )
    @pytest.mark.parametrize("pay_after", [0, None])
    def test_any_doubt_is_unknown_whether_it_paid_or_not(self, channel, answer, pay_after):
        channel.rule(answer=answer, pay_after=pay_after)

        said = client(channel).pay_out(ORDER)

        assert said.kind == Kind.UNKNOWN
        assert said.doubt
        assert channel.paid() == ([ORDER.order_no] if pay_after == 0 else [])

    def test_a_refusal_and_work_in_process_are_told_by_the_reviewed_map(self, channel):
        channel.rule(refuse="ACCOUNT_CLOSED", pay_after=None)
        refused = client(channel).pay_out(ORDER)
        channel.rule(pay_after=None)
        waiting = client(channel).pay_out(PayoutOrder("W2", Money(1, "CNY"), PAYEE))

        assert (refused.kind, refused.code) == (Kind.FAILED_CODE, "ACCOUNT_CLOSED")
        assert waiting.kind == Kind.PROCESSING
        assert channel.paid() == []

    @pytest.mark.parametrize("answer", ["other_amount", "other_payee", "other_order"])
    def test_hands_on_what_was_really_said(self, channel, answer):
        channel.rule(answer=answer)
        adapter = client(channel)

        said = adapter.pay_out(ORDER)

        same = (
            said.amount == ORDER.amount,
            said.payee_hash == adapter.payee_hash(PAYEE),
            said.order_no == ORDER.order_no,
        )
        assert said.verified
        assert same.count(False) == 1

    def test_an_unsigned_request_is_refused_by_the_channel(self, channel):
        stranger = Simulator(config=channel.config | {"secret": "A" * 43 + "="}, meanings=MEANINGS)

        said = stranger.pay_out(ORDER)

        assert said.kind == Kind.UNKNOWN
        assert channel.paid() == []


class TestQuery:
    def test_tells_what_became_of_an_order(self, channel):
        channel.rule(answer="timeout", pay_after=0)
        adapter = client(channel)
        adapter.pay_out(ORDER)

        assert adapter.query_payout(ORDER.order_no).kind == Kind.SUCCESS
        assert adapter.query_payout("W9").kind == Kind.NOT_FOUND

    def test_is_disturbed_as_the_rule_says_and_then_tells_the_truth(self, channel):
        channel.rule(queries=["timeout", "not_found", "code:ACCOUNT_CLOSED"])
        adapter = client(channel)
        adapter.pay_out(ORDER)

        kinds = [adapter.query_payout(ORDER.order_no).kind for _ in range(4)]

        assert kinds == [Kind.UNKNOWN, Kind.NOT_FOUND, Kind.FAILED_CODE, Kind.SUCCESS]

    def test_work_in_process_ends_and_money_may_come_back(self, channel):
        channel.rule(pay_after=0.15, return_after=0.4)
        adapter = client(channel)
        seen = [adapter.pay_out(ORDER).kind]

        deadline = time.monotonic() + 5
        while seen[-1] != Kind.RETURNED and time.monotonic() < deadline:
            kind = adapter.query_payout(ORDER.order_no).kind
            seen += [kind] if kind != seen[-1] else []
            time.sleep(0.02)

        assert seen == [Kind.PROCESSING, Kind.SUCCESS, Kind.RETURNED]

    def test_a_failure_may_be_followed_by_a_success(self, channel):
        channel.rule(refuse="ACCOUNT_CLOSED", pay_after=0.1)
        adapter = client(channel)
        first = adapter.pay_out(ORDER)
        time.sleep(0.15)

        assert first.kind == Kind.FAILED_CODE
        assert adapter.query_payout(ORDER.order_no).kind == Kind.SUCCESS

    def test_nobody_there_is_unknown(self, channel):
        adapter = Simulator(
            config=channel.config | {"base_url": "http://127.0.0.1:9"}, meanings=MEANINGS
        )

        assert adapter.query_payout("W1").kind == Kind.UNKNOWN


class TestCallback:
    @pytest.fixture
    def post_box(self, channel):
        """A listener that keeps what comes in."""
        received: list[tuple[dict[str, str], bytes]] = []

        class Listener(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((dict(self.headers), body))
                self.send_response(200)
                self.send_header("Content-Length", "7")
                self.end_headers()
                self.wfile.write(b"SUCCESS")

            def log_message(self, *args: object) -> None:
                pass

        listener = HTTPServer(("127.0.0.1", 0), Listener)
        threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.server_port}/channels/simulator/callback"
        channel.control("callback-url", {"url": url})
        yield received
        listener.shutdown()
        listener.server_close()

    def wait(self, post_box: list, count: int) -> None:
        deadline = time.monotonic() + 5
        while len(post_box) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(post_box) >= count

    def test_is_believed_when_signed_doubled_or_not(self, channel, post_box):
        channel.rule(callbacks=[{"times": 2}])
        adapter = client(channel)
        adapter.pay_out(ORDER)
        self.wait(post_box, 2)

        news = [
            adapter.verify_callback(headers=headers, raw=raw, at=clock.now())
            for headers, raw in post_box
        ]

        assert [item.kind for item in news] == [Kind.SUCCESS, Kind.SUCCESS]
        assert news[0].event_id == news[1].event_id != ""
        assert adapter.order_no_of(post_box[0][1]) == ORDER.order_no

    @pytest.mark.parametrize("says", ["forged", "unsigned", "stale", "garbage"])
    def test_is_refused_when_forged_unsigned_old_or_unreadable(self, channel, post_box, says):
        channel.rule(callbacks=[{"says": says}])
        adapter = client(channel)
        adapter.pay_out(ORDER)
        self.wait(post_box, 1)

        with pytest.raises(CallbackRefused):
            adapter.verify_callback(headers=post_box[0][0], raw=post_box[0][1], at=clock.now())

    def test_is_refused_when_one_byte_was_changed(self, channel, post_box):
        channel.rule(callbacks=[{}])
        adapter = client(channel)
        adapter.pay_out(ORDER)
        self.wait(post_box, 1)
        headers, raw = post_box[0]

        changed = raw.replace(b"5000", b"5001")
        with pytest.raises(CallbackRefused):
            adapter.verify_callback(headers=headers, raw=changed, at=clock.now())


class TestStatement:
    def test_lists_what_was_really_paid_and_returned(self, channel):
        adapter = client(channel)
        channel.rule(answer="timeout")
        adapter.pay_out(ORDER)
        adapter.pay_out(PayoutOrder("W2", Money(1234, "JPY"), PAYEE))
        channel.control("return", {"order_no": "W2"})

        raw = adapter.fetch_statement(datetime.now(ZONE).date())
        lines = list(adapter.parse_statement(raw))

        found = [(line.kind, line.order_no, line.amount) for line in lines]
        assert found == [
            ("PAID", ORDER.order_no, Money(50_00, "CNY")),
            ("PAID", "W2", Money(1234, "JPY")),
            ("RETURNED", "W2", Money(1234, "JPY")),
        ]
        assert lines[0].payee_hash == adapter.payee_hash(PAYEE)
        assert PAYEE.number.encode() not in raw

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"50.00,CNY", b"50.01,CNY"),
            (b"TOTAL,PAID,1", b"TOTAL,PAID,2"),
            (b"TOTAL,PAID,1,50.00,CNY,,\r\n", b""),
            (b"PAID,W", b"LOST,W"),
            (b"kind,order_no", b"order_no,kind"),
            (b"50.00,CNY", b"5e1,CNY"),
            (b"+00:00", b""),
        ],
    )
    def test_that_is_not_whole_is_refused(self, channel, old, new):
        adapter = client(channel)
        adapter.pay_out(ORDER)
        raw = adapter.fetch_statement(datetime.now(ZONE).date())
        assert old in raw

        with pytest.raises(StatementRefused):
            list(adapter.parse_statement(raw.replace(old, new, 1)))

    def test_that_nobody_gives_is_not_there(self, channel):
        adapter = Simulator(
            config=channel.config | {"base_url": "http://127.0.0.1:9"}, meanings=MEANINGS
        )

        with pytest.raises(StatementUnavailable):
            adapter.fetch_statement(datetime.now(ZONE).date())


class TestBook:
    def test_survives_a_restart_and_a_line_that_was_cut_off(self, tmp_path):
        with simulators.running(tmp_path) as channel:
            client(channel).pay_out(ORDER)
        with (tmp_path / "book.jsonl").open("ab") as file:
            file.write(b'{"event": "pa')

        with simulators.running(tmp_path) as channel:
            again = client(channel).pay_out(ORDER)

            assert again.kind == Kind.SUCCESS
            assert channel.paid() == [ORDER.order_no]
        assert len(Book(tmp_path / "book.jsonl").movements()) == 1


class TestProcess:
    def test_runs_by_itself_and_stops_when_told(self, tmp_path):
        command = [sys.executable, "manage.py", "channel_simulator", "--port", "0", "--json"]
        process = subprocess.Popen(
            [*command, "--book", str(tmp_path)],
            stdout=subprocess.PIPE,
            cwd=settings.BASE_DIR,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"},
        )
        try:
            url = json.loads(process.stdout.readline())["url"]
            adapter = Simulator(
                config={"base_url": url, "secret": settings.CHANNEL_SIMULATOR["secret"]}
                | simulators.PATIENCE,
                meanings=MEANINGS,
            )

            said = adapter.pay_out(ORDER)

            assert said.kind == Kind.SUCCESS
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0


def test_a_signature_covers_every_part_of_a_request():
    keys = protocol.Keys.derive(settings.CHANNEL_SIMULATOR["secret"])
    parts = ["POST", "/payouts", "1700000000", "nonce"]
    signature = protocol.sign(keys.client, protocol.request_text(*parts, b"body"))

    for place in range(5):
        changed = [*parts, b"body"]
        changed[place] = b"other" if place == 4 else "1"
        text = protocol.request_text(*changed)
        assert not protocol.verified(keys.client.public_key(), signature, text)


def test_evidence_never_shows_a_payee():
    assert PAYEE.number not in repr(ORDER)
    assert Evidence(kind=Kind.UNKNOWN, order_no="W1", received_at=datetime.now(UTC)).sha256
