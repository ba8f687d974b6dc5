"""What the tools say: ruff, mypy, Django's migrations."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.databases import ROOT


def tool(*words: str) -> tuple[int, str]:
    told = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return told.returncode, told.stdout + told.stderr


class TestTheTools:
    def test_find_no_fault_in_the_code(self) -> None:
        assert tool("-m", "ruff", "check", "--quiet", ".") == (0, "")

    def test_would_format_nothing_otherwise(self) -> None:
        assert tool("-m", "ruff", "format", "--check", "--quiet", ".") == (0, "")

    @pytest.mark.slow
    @pytest.mark.timeout(600)
    def test_find_every_type_in_place(self) -> None:
        code, said = tool("-m", "mypy", "--no-error-summary")

        assert (code, said.strip()) == (0, "")

    def test_miss_no_migration(self, cloned_db: str) -> None:
        code, said = tool("manage.py", "makemigrations", "--check", "--dry-run")

        assert code == 0, said
