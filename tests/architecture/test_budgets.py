"""A file is read in one sitting, a function at one glance, and no drawer is for odds and ends."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.architecture.tree import source, tracked
from tests.databases import ROOT

FILE_LINES = 400
FUNCTION_LINES = 60
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "base_utils", "tools", "lib"}


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


class TestBudgets:
    def test_no_file_is_longer_than_400_lines(self) -> None:
        found = {
            str(path.relative_to(ROOT)): len(lines_of(path))
            for path in source(".py", ".sql", ".html")
        }

        assert found
        assert {name: count for name, count in found.items() if count > FILE_LINES} == {}

    def test_no_function_is_longer_than_60_lines(self) -> None:
        long = {}
        for path in source(".py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    count = (node.end_lineno or node.lineno) - node.lineno + 1
                    if count > FUNCTION_LINES:
                        long[f"{path.relative_to(ROOT)}:{node.name}"] = count

        assert long == {}

    def test_no_line_of_sql_is_longer_than_100(self) -> None:
        long = [
            f"{path.relative_to(ROOT)}:{number}"
            for path in source(".sql")
            for number, line in enumerate(lines_of(path), 1)
            if len(line) > 100
        ]

        assert long == []

    def test_no_drawer_is_for_odds_and_ends(self) -> None:
        drawers = [
            str(path.relative_to(ROOT))
            for path in tracked()
            if DRAWERS & {part.removesuffix(path.suffix) for part in path.relative_to(ROOT).parts}
            # Foreign files, and what takes the place of one, keep their names.
            and not {"static", "unfold"} & set(path.relative_to(ROOT).parts[:2])
        ]

        assert drawers == []
