"""`audit`: draw a sample for an auditor."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from config.errors import DomainError
from foundation import registries
from foundation.command import JsonCommand
from foundation.selectors import sample as samples


class Command(JsonCommand):
    """Reads only; exit code 2 when the seed or the size is none."""

    help = "Draw a sample: the same seed, size and up-to give the same rows again."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        sample = actions.add_parser("sample", help="payments, approvals and payouts, by chance")
        sample.add_argument("--seed", type=int, required=True)
        sample.add_argument("--size", type=int, required=True)
        sample.add_argument(
            "--source", choices=[name for name, _source in registries.sample_sources.items()]
        )
        sample.add_argument(
            "--up-to", type=int, help="the last key of the population (default: all there are)"
        )
        sample.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        names = [options["source"]] if options["source"] else list(_names())
        if options["up_to"] is not None and len(names) > 1:
            raise CommandError("--up-to belongs to one --source", returncode=2)
        try:
            drawn = [
                samples.draw(
                    name, seed=options["seed"], size=options["size"], up_to=options["up_to"]
                )
                for name in names
            ]
        except DomainError as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal
        if options["json"]:
            self.stdout.write(json.dumps([_as_json(one) for one in drawn], ensure_ascii=False))
            return
        for one in drawn:
            self.stdout.write(
                f"{one.source}: seed {one.seed}, size {len(one.rows)} of {one.size},"
                f" up to {one.up_to}"
            )
            show = registries.sample_sources.get(one.source).columns
            for row in one.rows:
                self.stdout.write(f"{row.pk:>12}  " + "  ".join(show(row).values()))


def _names() -> list[str]:
    return [name for name, _source in registries.sample_sources.items()]


def _as_json(one: samples.Sample) -> dict[str, Any]:
    show = registries.sample_sources.get(one.source).columns
    return {
        "source": one.source,
        "seed": one.seed,
        "size": one.size,
        "up_to": one.up_to,
        "rows": [{"id": row.pk, **show(row)} for row in one.rows],
    }
