"""Day files as bank lines: whole, once, explained, and bookable again after a crash anywhere."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction

from channels.adapters.base import Kind, StatementRefused
from channels.simulator.book import ZONE
from foundation import clock
from foundation.money import Money
from ledger.errors import EntryConflict
from ledger.services import journal
from merchants.services import house
from settlement.models import BankLine, PayoutAttempt, PayoutCase, PayoutStatement
from settlement.selectors import payout_invariants
from settlement.services import payout as payouts
from settlement.services import payout_channel as channels
from settlement.services import payout_float, payout_statement
from tests.factories import payout as make
from tests.factories import simulator as simulators
from tests.factories.payout import NOON


@pytest.fixture
def channel(tmp_path: Path, settings):
    with simulators.running(tmp_path) as running:
        make.address(running.url)
        yield running


def pay(minor: int = 50_00, account=None) -> PayoutAttempt:
    made = make.request(account or make.payee(), minor)
    payouts.send(**made.key, at=NOON)
    return PayoutAttempt.objects.select_related("withdrawal").get(withdrawal=made)


def today():
    return datetime.now(ZONE).date()


def fetch() -> payout_statement.Imported:
    return payout_statement.fetch(channel_code="simulator", day=today(), at=clock.now())


def cut_off(*_args: object, **_names: object) -> None:
    """End as a killed process ends: whatever is not committed is gone."""
    raise KeyboardInterrupt


def house_balances() -> dict[str, int]:
    return {kind: found[0] for kind, found in make.balances(house.house().id).items()}


@pytest.mark.django_db
class TestTakeIn:
    def test_completes_what_was_in_transit_in_both_books(self, channel):
        one, other = pay(50_00), pay(30_00)
        more = pay(20_00, one.withdrawal.bank_account)

        done = fetch()

        assert (done.new, done.known, done.booked, done.unmatched) == (3, 0, 3, 0)
        for attempt in (one, other, more):
            assert "payout_in_transit" not in make.balances(attempt.merchant_id)
        assert make.balances(one.merchant_id)["between_books"] == (-70_00, 0)
        assert house_balances() == {"between_books": 100_00, "channel_float": -100_00}
        assert make.postings(one.merchant_id, "payout_statement") == [
            ("DR", "payout_in_transit", "complete", 70_00),
            ("CR", "between_books", "pass", 70_00),
        ]
        assert make.broken() == []

    def test_again_changes_nothing_and_a_longer_file_brings_only_what_is_new(self, channel):
        pay()
        fetch()
        again = fetch()
        assert (again.new, again.known, again.booked) == (0, 1, 0)

        pay(30_00)
        longer = fetch()

        assert (longer.new, longer.known, longer.booked) == (1, 1, 1)
        assert BankLine.objects.count() == 2
        assert house_balances()["channel_float"] == -80_00
        assert make.broken() == []

    def test_of_money_that_came_back_is_the_mirror(self, channel):
        attempt = pay()
        fetch()
        channel.control("return", {"order_no": attempt.number})

        done = fetch()

        assert (done.new, done.booked) == (1, 1)
        assert make.fresh(attempt).status == "RETURNED"
        assert house_balances() == {}
        assert make.balances(attempt.merchant_id)["merchant_available"] == (100_00, 0)
        assert make.broken() == []

    def test_is_news_for_a_payout_that_was_unknown(self, channel):
        channel.rule(answer="timeout")
        attempt = pay()
        assert attempt.status == "UNKNOWN"

        fetch()

        assert make.fresh(attempt).status == "SUCCEEDED"
        assert BankLine.objects.get().state == "BOOKED"
        assert make.broken() == []

    def test_of_what_had_failed_is_disputed_and_still_booked(self, channel):
        account = make.payee()
        channel.rule(refuse="ACCOUNT_CLOSED", pay_after=0.3)
        attempt = pay(50_00, account)
        payouts.query(**attempt.key, at=NOON + timedelta(seconds=31))
        assert make.fresh(attempt).status == "FAILED"
        deadline = clock.now() + timedelta(seconds=5)
        while not channel.paid() and clock.now() < deadline:
            pass

        fetch()

        assert make.fresh(attempt).status == "DISPUTED"
        assert house_balances()["channel_float"] == -50_00
        assert make.balances(account.merchant_id)["disputed_receivable"] == (50_00, 0)
        assert make.broken() == []

    def test_of_an_order_nobody_knows_is_a_case_and_posts_nothing(self, channel):
        attempt = pay()
        raw = channels.adapter_for(channels.find("simulator")).fetch_statement(today())
        foreign = raw.replace(attempt.number.encode(), b"W26030000001-999999-1")

        done = payout_statement.take_in(
            channel_code="simulator", day=today(), raw=foreign, at=clock.now()
        )

        assert (done.booked, done.unmatched) == (0, 1)
        assert PayoutCase.objects.get().kind == "STATEMENT"
        assert house_balances() == {}
        assert make.broken() == []

    def test_with_another_amount_is_a_case(self, channel):
        attempt = pay()
        raw = channels.adapter_for(channels.find("simulator")).fetch_statement(today())
        other = raw.replace(b"50.00", b"50.01")

        done = payout_statement.take_in(
            channel_code="simulator", day=today(), raw=other, at=clock.now()
        )

        assert (done.booked, done.unmatched) == (0, 1)
        with pytest.raises(StatementRefused):
            fetch()  # the same order with the true amount contradicts the line that is stored
        assert make.fresh(attempt).status == "SUCCEEDED"

    def test_that_is_not_whole_stores_nothing(self, channel):
        pay()
        raw = channels.adapter_for(channels.find("simulator")).fetch_statement(today())

        with pytest.raises(StatementRefused):
            payout_statement.take_in(
                channel_code="simulator", day=today(), raw=raw[:-30], at=clock.now()
            )

        assert not PayoutStatement.objects.exists()
        assert not BankLine.objects.exists()


class TestRestart:
    @pytest.mark.parametrize("step", ["_tell", "_book_house", "_book_merchants", "post_bulk"])
    def test_goes_on_wherever_it_was_cut_off(self, cloned_db, channel, monkeypatch, step):
        pay(50_00)
        pay(30_00)
        broken = (journal, step) if step == "post_bulk" else (payout_statement, step)
        with monkeypatch.context() as cut:
            cut.setattr(*broken, cut_off)
            with pytest.raises(KeyboardInterrupt):
                fetch()

        done = fetch()

        assert (done.new, done.known, done.booked) == (0, 2, 2)
        assert house_balances() == {"between_books": 80_00, "channel_float": -80_00}
        assert make.broken() == []

    def test_between_the_two_books_stands_in_between_books(self, cloned_db, channel, monkeypatch):
        pay(50_00)
        with monkeypatch.context() as cut:
            cut.setattr(payout_statement, "_book_merchants", cut_off)
            with pytest.raises(KeyboardInterrupt):
                fetch()

        assert house_balances() == {"between_books": 50_00, "channel_float": -50_00}
        assert list(payout_invariants.explained_transit()) == []


@pytest.mark.django_db
class TestLine:
    def test_never_changes_once_booked(self, channel):
        pay()
        fetch()

        for change in ({"state": "RECORDED"}, {"amount_minor": 1}, {"order_no": "x"}):
            with pytest.raises(DatabaseError), transaction.atomic():
                BankLine.objects.update(**change)


@pytest.mark.django_db
class TestFloat:
    def test_is_funded_from_capital_once_per_reference(self, channel):
        simulator = channels.find("simulator")

        def fund(minor: int) -> int:
            return payout_float.fund(
                channel=simulator, amount=Money(minor, "CNY"), reference="R-1", at=NOON
            )

        assert fund(1_000_00) == fund(1_000_00)
        with pytest.raises(EntryConflict):
            fund(1)
        assert house_balances() == {"channel_float": 1_000_00, "capital": 1_000_00}
        assert make.broken() == []


@pytest.mark.django_db
class TestCommand:
    def call(self, *arguments: str) -> tuple[int, object]:
        out, code = io.StringIO(), 0
        try:
            call_command("payouts", *arguments, "--json", stdout=out)
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, json.loads(out.getvalue())

    def test_lists_what_is_unknown_and_asks(self, channel):
        assert self.call("unknown") == (0, [])
        channel.rule(answer="timeout")
        attempt = pay()

        code, found = self.call("unknown")
        assert (code, found[0]["number"], found[0]["amount_minor"]) == (1, attempt.number, 50_00)
        assert self.call("query", attempt.number) == (0, {attempt.number: "PAY"})
        assert self.call("unknown") == (0, [])

    def test_lists_and_closes_cases(self, channel):
        attempt = make.attempt("SUCCEEDED")
        make.news(attempt, Kind.FAILED_CODE)

        code, found = self.call("cases")
        assert (code, found[0]["kind"], found[0]["subject"]) == (1, "CONTRADICTION", attempt.number)
        assert self.call("close-case", str(found[0]["id"]), "--outcome", "seen")[0] == 0
        assert self.call("cases") == (0, [])

    def test_takes_the_day_file_in_funds_and_sets_fees(self, channel):
        pay()

        assert self.call("fund", "1000.00", "--reference", "R-1")[0] == 0
        code, said = self.call("statement", "--day", today().isoformat())
        assert (code, said["new"], said["booked"]) == (0, 1, 1)
        assert (
            self.call("fee", "1.00", "--from", "2016-01-01")[1]
            == self.call("fee", "1.00", "--from", "2016-01-01")[1]
        )
        with pytest.raises(CommandError) as refused:
            self.call("fund", "1000.001", "--reference", "R-2")
        assert (refused.value.returncode, str(refused.value)) == (1, self.message)

    message = "'1000.001' has more decimals than CNY allows (2)."

    @pytest.fixture(autouse=True)
    def _english(self, settings):
        from django.utils import translation

        with translation.override("en"):
            yield

    def test_does_the_work_here(self, channel):
        made = make.request(make.payee(), at=clock.now() - timedelta(minutes=5))

        assert self.call("work") == (0, {"done": 1})
        made.refresh_from_db()
        assert made.status == "PAID"

    def test_knows_only_what_there_is(self, channel):
        with pytest.raises(CommandError):
            self.call("query", "W1")
        with pytest.raises(CommandError):
            self.call("close-case", "7", "--outcome", "x")
