"""`manage.py import_fees FILE [--json] [--encoding gb18030]`"""

from __future__ import annotations

from channels.services import fee_import
from foundation import clock
from foundation.csv_intake import Progress, Source
from foundation.csv_intake.command import ImportCommand, Outcome


class Command(ImportCommand):
    """Bring fees in from a file: all or nothing, safe to run again."""

    help = "Import fees from a CSV file: all or nothing, safe to run again."
    actor_name = "import_fees"

    def take_in(self, source: Source, encoding: str, progress: Progress | None) -> Outcome:
        return fee_import.run(source=source, encoding=encoding, progress=progress, at=clock.now())
