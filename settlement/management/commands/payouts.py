"""`payouts`: what is unknown, what a person must look at, and the operator's acts."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from foundation import actor, clock
from foundation.command import JsonCommand, day
from foundation.money import Money
from merchants.services import house
from settlement.models import PayoutAttempt, PayoutCase
from settlement.selectors import payout as seen
from settlement.services import payout as payouts
from settlement.services import (
    payout_callback,
    payout_channel,
    payout_fee,
    payout_float,
    payout_statement,
    payout_watch,
)
from settlement.services import payout_case as cases


class Command(JsonCommand):
    """Exit codes: 0 done, 1 refused or something is left for people, 2 usage. Safe to run again."""

    help = "List unknown payouts and cases; ask, work, take day files in, fund a channel's float."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("unknown", help="payouts whose result nobody knows; exit 1 if any")
        actions.add_parser("cases", help="open cases; exit 1 if any")
        asking = actions.add_parser(
            "query", help="ask the channel about one payout, or all unknown"
        )
        asking.add_argument("number", nargs="?", default="")
        actions.add_parser("work", help="send, ask and recover all that is due, here and now")
        closing = actions.add_parser("close-case", help="close a case with what came of it")
        closing.add_argument("id", type=int)
        closing.add_argument("--outcome", required=True)
        day_file = actions.add_parser("statement", help="take a channel's day file in and book it")
        day_file.add_argument("--day", type=day, required=True)
        day_file.add_argument("--channel", default="simulator")
        funding = actions.add_parser("fund", help="pay own capital into a channel's float")
        funding.add_argument("amount", help="in major units, such as 100000.00")
        funding.add_argument("--currency", default="CNY")
        funding.add_argument("--channel", default="simulator")
        funding.add_argument("--reference", required=True)
        fee = actions.add_parser("fee", help="set what a withdrawal costs every merchant")
        fee.add_argument("amount", help="in major units, per withdrawal")
        fee.add_argument("--currency", default="CNY")
        fee.add_argument("--from", dest="since", type=day, required=True)
        fee.add_argument("--fee-on-return", choices=["kept", "returned"], default="kept")
        for action in actions.choices.values():
            action.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        with actor.acting("system:payouts"):
            getattr(self, f"_{options['action'].replace('-', '_')}")(options)

    def _unknown(self, options: dict[str, Any]) -> None:
        found = [seen.attempt_row(attempt) for attempt in seen.unknown()]
        lines = [
            f"{row['number']}  {Money(row['amount_minor'], row['currency'])}"
            f"  {row['unknown_since']:%Y-%m-%d %H:%M:%S}  {row['queries']}"
            for row in found
        ]
        self._say(options, found, lines or [_("no payout is unknown")])
        if found:
            sys.exit(1)

    def _cases(self, options: dict[str, Any]) -> None:
        found = [seen.case_row(case) for case in seen.open_cases()]
        lines = [f"#{row['id']} {row['kind']} {row['subject']}: {row['detail']}" for row in found]
        self._say(options, found, lines or [_("no case is open")])
        if found:
            sys.exit(1)

    def _query(self, options: dict[str, Any]) -> None:
        found = [self._named(options["number"])] if options["number"] else list(seen.unknown())
        at = clock.now()
        verdicts = {
            attempt.number: payouts.query(**attempt.key, at=at, now=True) for attempt in found
        }
        lines = [f"{number}: {verdict or '-'}" for number, verdict in verdicts.items()]
        self._say(options, verdicts, lines or [_("no payout is unknown")])

    def _work(self, options: dict[str, Any]) -> None:
        done = payout_watch.do(clock.now())
        self._say(options, {"done": done}, [_("%(count)s done") % {"count": done}])

    def _close_case(self, options: dict[str, Any]) -> None:
        case = PayoutCase.objects.filter(id=options["id"]).first()
        if case is None:
            raise CommandError(_("There is no such case."), returncode=1)
        cases.close(
            merchant_id=case.merchant_id,
            case_id=case.id,
            outcome=options["outcome"],
            at=clock.now(),
        )
        self._say(options, {"closed": case.id}, [_("closed")])

    def _statement(self, options: dict[str, Any]) -> None:
        done = payout_statement.fetch(
            channel_code=options["channel"], day=options["day"], at=clock.now()
        )
        said = {
            "sha256": done.statement.sha256,
            "new": done.new,
            "known": done.known,
            "booked": done.booked,
            "unmatched": done.unmatched,
        }
        self._say(options, said, [f"{name}: {value}" for name, value in said.items()])
        if done.unmatched:
            sys.exit(1)

    def _fund(self, options: dict[str, Any]) -> None:
        amount = Money.parse(options["amount"], options["currency"])
        channel = payout_channel.find(options["channel"])
        entry = payout_float.fund(
            channel=channel, amount=amount, reference=options["reference"], at=clock.now()
        )
        self._say(options, {"entry": entry, "amount_minor": amount.minor}, [f"{amount}"])

    def _fee(self, options: dict[str, Any]) -> None:
        amount = Money.parse(options["amount"], options["currency"])
        rule = payout_fee.ensure_rule(
            currency=amount.currency,
            effective_from=options["since"],
            fixed_minor=amount.minor,
            fee_on_return=options["fee_on_return"],
        )
        self._say(options, {"version": rule.version, "fixed_minor": rule.fixed_minor}, [str(rule)])

    def _named(self, number: str) -> PayoutAttempt:
        merchant_id = payout_callback.book_of(number) or house.house().id
        found = PayoutAttempt.objects.filter(merchant_id=merchant_id, number=number).first()
        if found is None:
            raise CommandError(_("There is no such payout attempt."), returncode=1)
        return found

    def _say(self, options: dict[str, Any], data: object, lines: list[str]) -> None:
        as_json = options["json"]
        self.stdout.write(
            json.dumps(data, default=str, ensure_ascii=False) if as_json else "\n".join(lines)
        )
