"""`channel_simulator`: run the simulated payout channel as a process of its own."""

from __future__ import annotations

import json
import signal
import socket
import threading
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from channels.simulator import server
from channels.simulator.protocol import SecretMalformed
from foundation.command import JsonCommand


class Command(JsonCommand):
    """Serves until it is told to stop (SIGINT, SIGTERM). Exit code 2 when it cannot start."""

    help = "Run the simulated payout channel on this machine."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8090, help="0 picks a free one")
        parser.add_argument("--fd", type=int, help="a socket that listens already, instead")
        parser.add_argument("--book", type=Path, required=True, help="the folder of its own book")
        parser.add_argument("--callback-url", default="", help="where results are called back")
        parser.add_argument("--always-call-back", action="store_true")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            running = server.serve(
                port=options["port"],
                book=options["book"],
                secret=str(settings.CHANNEL_SIMULATOR["secret"]),
                callback_url=options["callback_url"],
                door=None if options["fd"] is None else socket.socket(fileno=options["fd"]),
            )
        except (SecretMalformed, OSError) as error:
            message = _("The simulated channel cannot start: %(reason)s") % {"reason": error}
            raise CommandError(message, returncode=2) from error
        running.engine.always_call_back = options["always_call_back"]
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: threading.Thread(target=running.shutdown).start())
        said = json.dumps({"url": running.url}) if options["json"] else running.url
        self.stdout.write(said)
        self.stdout.flush()
        running.serve_forever(poll_interval=0.1)
        running.server_close()
