"""`outbox`: send what waits, run it here, or look at it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from foundation import actor
from foundation.command import JsonCommand
from foundation.models import OutboxMessage
from foundation.selectors import outbox as messages
from foundation.services import outbox


class Command(JsonCommand):
    """Exit code 1 when a message failed, 3 when the broker is down; safe to run again."""

    help = "Drain the outbox, or list and re-queue its messages."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        drain = actions.add_parser("drain", help="send all that is due to the workers")
        drain.add_argument("--inline", action="store_true", help="run the tasks here instead")
        drain.add_argument("--limit", type=int)
        listing = actions.add_parser("list", help="show what is not done")
        listing.add_argument("--state", choices=OutboxMessage.State.values)
        listing.add_argument("--limit", type=int, default=100)
        requeue = actions.add_parser("requeue", help="give a parked message a new life")
        requeue.add_argument("id", type=int)
        purge = actions.add_parser("purge", help="forget what was done long ago")
        purge.add_argument("--keep-days", type=int, default=30)
        for action in (drain, listing, requeue, purge):
            action.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        with actor.acting("system:outbox"):
            getattr(self, f"_{options['action']}")(options)

    def _drain(self, options: dict[str, Any]) -> None:
        result = outbox.drain(inline=options["inline"], limit=options["limit"])
        text = f"sent {result.sent}, done {result.done}, failed {result.failed}"
        self._say(options, asdict(result), "\n".join([text, *result.failures]))
        if result.broker_down:
            raise CommandError("the broker does not answer; nothing is lost", returncode=3)
        if result.failed:
            raise CommandError("some messages failed and will be tried again", returncode=1)

    def _list(self, options: dict[str, Any]) -> None:
        found = messages.waiting(state=options["state"], limit=options["limit"])
        lines = [
            f"{row['id']:>8} {row['state']:<7} {row['tries']:>3}  {row['kind']} {row['payload']}"
            f" {row['reason']}"
            for row in found
        ]
        self._say(options, found, "\n".join(lines) or "nothing waits")

    def _requeue(self, options: dict[str, Any]) -> None:
        message = OutboxMessage.objects.filter(id=options["id"]).first()
        if message is None or not outbox.requeue(
            merchant_id=message.merchant_id, message_id=message.id
        ):
            raise CommandError(f"message {options['id']} is not parked", returncode=1)
        self._say(options, {"requeued": options["id"]}, f"message {options['id']} waits again")

    def _purge(self, options: dict[str, Any]) -> None:
        gone = outbox.purge(keep_days=options["keep_days"])
        self._say(options, {"purged": gone}, f"{gone} messages forgotten")

    def _say(self, options: dict[str, Any], data: object, text: str) -> None:
        self.stdout.write(json.dumps(data, default=str) if options["json"] else text)
