"""`manage.py import_agents FILE [--json] [--encoding gb18030]`"""

from __future__ import annotations

from foundation import clock
from foundation.csv_intake import Progress, Source
from foundation.csv_intake.command import ImportCommand, Outcome
from merchants.services import agent_import


class Command(ImportCommand):
    """Bring agents in from a file: all or nothing, safe to run again."""

    help = "Import agents from a CSV file: all or nothing, safe to run again."
    actor_name = "import_agents"

    def take_in(self, source: Source, encoding: str, progress: Progress | None) -> Outcome:
        imported = agent_import.run(
            source=source, encoding=encoding, progress=progress, at=clock.now()
        )
        return Outcome(imported.new, imported.known, imported.sha256)
