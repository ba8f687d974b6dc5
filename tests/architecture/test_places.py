"""The project names no machine and no folder but its own."""

from __future__ import annotations

import re

from tests.architecture.tree import tracked
from tests.databases import ROOT

# In pieces, so that this file does not name them either.
REGISTRIES = ["py" + "pi.org", "python" + "hosted.org", "registry." + "npmjs", "find-" + "links"]
REGISTRIES += ["index-" + "url=", "--index-" + "url ", "anaconda" + ".org"]
OUTSIDE = re.compile(
    r"\.\./shared\b|(?<![\w./])/work/|(?<![\w./])/tmp/|(?<![\w./])/root/"
    r"|\b(?:money-safety|code-style-examples|ledger-in-postgres|scale-out)\.md"
)
BINARY = {".png", ".jpg", ".woff2", ".woff", ".ttf", ".otf", ".gz", ".ico"}


def texts() -> list[tuple[str, str]]:
    return [
        (str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
        for path in tracked()
        if path.suffix not in BINARY
    ]


class TestNoTrackedFile:
    def test_names_the_host_of_a_registry(self) -> None:
        found = {
            name: host for name, text in texts() for host in REGISTRIES if host in text.lower()
        }

        assert found == {}

    def test_names_a_path_outside_the_project(self) -> None:
        found = {
            name: match.group()
            for name, text in texts()
            if not name.startswith("tests/") and (match := OUTSIDE.search(text))
        }

        assert found == {}
