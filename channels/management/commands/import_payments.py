"""`manage.py import_payments FILE [--json] [--encoding gb18030]`"""

from __future__ import annotations

from channels.services import clearing, payment_import
from foundation import clock
from foundation.csv_intake import Progress, Source
from foundation.csv_intake.command import ImportCommand, Outcome


class Command(ImportCommand):
    """Bring payments in from a file: all or nothing, safe to run again, then clear them."""

    help = "Import payments from a CSV file: all or nothing, safe to run again."
    actor_name = "import_payments"

    def take_in(self, source: Source, encoding: str, progress: Progress | None) -> Outcome:
        outcome = payment_import.run(
            source=source, encoding=encoding, progress=progress, at=clock.now()
        )
        cleared = clearing.clear_all(at=clock.now(), progress=progress)
        outcome.more.update(cleared.as_dict())
        return outcome
