"""Imports point down, and what runs first needs nothing installed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from tests.databases import ROOT


class TestImports:
    def test_keep_the_contracts(self) -> None:
        """The contracts stand in pyproject.toml."""
        program = "from importlinter.cli import lint_imports_command; lint_imports_command()"

        told = subprocess.run(
            [sys.executable, "-c", program, "--no-cache"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

        assert told.returncode == 0, told.stdout + told.stderr
        assert "0 broken" in told.stdout

    def test_of_what_runs_first_are_of_the_standard_library(self) -> None:
        foreign = [
            f"{path.name}: {name}"
            for path in [ROOT / "run", ROOT / "config/__init__.py", *embedded()]
            for name in imported(path)
            if name.split(".")[0] not in sys.stdlib_module_names
            and not name.startswith("config.embedded")
        ]

        assert foreign == []


def embedded() -> list[Path]:
    return sorted((ROOT / "config/embedded").glob("*.py"))


def imported(path: Path) -> list[str]:
    """Return the full name of every module a file imports, wherever in it."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return names
