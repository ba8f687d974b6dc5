"""`manage.py import_refunds FILE [--json] [--encoding gb18030]`"""

from __future__ import annotations

from channels.services import clearing, refund_import
from foundation import clock
from foundation.csv_intake import Progress, Source
from foundation.csv_intake.command import ImportCommand, Outcome


class Command(ImportCommand):
    """Bring refunds in from a file: all or nothing, safe to run again, then clear them."""

    help = "Import refunds from a CSV file: all or nothing, safe to run again."
    actor_name = "import_refunds"

    def take_in(self, source: Source, encoding: str, progress: Progress | None) -> Outcome:
        outcome = refund_import.run(
            source=source, encoding=encoding, progress=progress, at=clock.now()
        )
        cleared = clearing.clear_all(at=clock.now(), progress=progress)
        outcome.more.update(cleared.as_dict())
        return outcome
