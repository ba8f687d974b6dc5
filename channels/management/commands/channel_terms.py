"""`manage.py channel_terms CODE --registers qr --reviews WHO --settles WHO --loss WHO`"""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser

from channels.services import channel as channels
from foundation import actor
from foundation.command import JsonCommand
from merchants.models.application import Bearer


class Command(JsonCommand):
    """Exit codes: 0 done, 1 refused, 2 usage. Safe to run again."""

    help = "Set for which products a channel registers merchants, and who answers for what."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("code", help="the channel")
        parser.add_argument(
            "--registers", default="", help="kinds of product, with commas between; none: nobody"
        )
        for name, words in (
            ("reviews", "who reviews merchants"),
            ("settles", "who settles with them"),
            ("loss", "who bears the loss"),
        ):
            parser.add_argument(f"--{name}", required=True, choices=Bearer.values, help=words)
        parser.add_argument("--json", action="store_true", help="answer as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        with actor.acting("system:channel_terms"):
            channel = channels.agree(
                code=options["code"],
                registers=[one.strip() for one in options["registers"].split(",") if one.strip()],
                reviews=Bearer(options["reviews"]),
                settles=Bearer(options["settles"]),
                bears_loss=Bearer(options["loss"]),
            )
        said = {
            "channel": channel.code,
            "registers": channel.registers,
            "reviews": str(channel.reviewed_by_whom),
            "settles": str(channel.settled_by_whom),
            "loss": str(channel.loss_borne_by),
        }
        if options["json"]:
            self.stdout.write(json.dumps(said))
        else:
            self.stdout.write(" ".join(f"{name}={value}" for name, value in said.items()))
