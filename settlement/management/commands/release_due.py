"""`release_due`: what waits for release by hand, and releasing one merchant's."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from foundation import actor, clock
from foundation.command import JsonCommand, day
from merchants.management.creation import merchant_named
from settlement.selectors import due as dues
from settlement.services import due as due_service


class Command(JsonCommand):
    """Exit codes: 0 done, also when nothing waits; 1 refused; 2 usage. Safe to run again."""

    help = "List what merchants settled by hand have waiting, or release one merchant's."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("merchant_no", nargs="?", default="", help="without it: only list")
        parser.add_argument("--date", type=day, help="due on this day, else today")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        with actor.acting("system:release_due"):
            if options["merchant_no"]:
                self._release(options)
            else:
                self._list(options)

    def _list(self, options: dict[str, Any]) -> None:
        found: list[dues.Waiting] = []
        page = dues.waiting_for_release()
        while page:
            found += page
            last = page[-1]
            page = dues.waiting_for_release(after=last.merchant_id, currency=last.currency)
        rows = [
            {
                "merchant_no": row.merchant_no,
                "currency": row.currency,
                "payments": row.payments,
                "amount_minor": row.amount.minor,
                "since": row.since.isoformat(),
            }
            for row in found
        ]
        if options["json"]:
            self.stdout.write(json.dumps(rows))
            return
        for row in found:
            line = f"{row.merchant_no:<24} {row.amount!s:>24}  {row.payments:>8}  {row.since}"
            self.stdout.write(line)
        if not found:
            self.stdout.write(_("Nothing waits for a release."))

    def _release(self, options: dict[str, Any]) -> None:
        at = clock.now()
        merchant = merchant_named(options["merchant_no"])
        due_date = options["date"] or clock.business_date(at)
        released = due_service.release_manual(merchant_id=merchant.id, due_date=due_date, at=at)
        answer = {"released": released, "due_date": due_date.isoformat()}
        if options["json"]:
            self.stdout.write(json.dumps(answer))
        else:
            self.stdout.write(_("%(released)s amounts are due on %(due_date)s.") % answer)
