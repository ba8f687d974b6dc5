"""The events that risk rules read (S4-01) are recorded under the names that the document gives."""

from __future__ import annotations

import re

from tests.databases import PACKAGES, ROOT

TEXT = (ROOT / "docs/rules/sign_in.md").read_text(encoding="utf-8")
ROWS = [
    line.strip("| ").split(" | ")
    for line in TEXT.partition("## Events for risk rules")[2].splitlines()
    if line.startswith("| ")
][2:]


class TestEveryEvent:
    def test_of_the_document_is_recorded_somewhere(self) -> None:
        code = "".join(
            path.read_text(encoding="utf-8")
            for package in PACKAGES
            for folder in ("services", "selectors", "portal", "admin", "api")
            for path in (ROOT / package / folder).glob("*.py")
        )
        named = [name for row in ROWS for name in re.findall(r"`([a-z_]+\.[a-z_]+)`", row[1])]

        assert len(named) > 30
        assert [name for name in named if f'"{name}"' not in code] == []

    def test_that_the_field_asks_for_has_a_row(self) -> None:
        kinds = " ".join(row[0] for row in ROWS)

        for kind in ("signing in", "showing", "lists out", "card", "new_device"):
            assert kind in kinds
