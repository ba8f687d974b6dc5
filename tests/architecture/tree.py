"""The files of the project as git knows them."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.databases import PACKAGES, ROOT


@cache
def tracked() -> tuple[Path, ...]:
    """Return every tracked file, and what would be tracked; skip where there is no git."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others"]
    try:
        told = subprocess.run(
            [*command, "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("Not a git checkout.")
    names = told.stdout.decode().split("\0")
    return tuple(path for name in names if name and (path := ROOT / name).is_file())


def source(*suffixes: str) -> list[Path]:
    """Return the tracked sources of packages and tests with these suffixes, migrations left out."""
    places = {*PACKAGES, "tests", "templates", "run", "manage.py"}
    return [
        path
        for path in tracked()
        if path.relative_to(ROOT).parts[0] in places
        and path.suffix in suffixes
        and "migrations" not in path.parts
    ]
