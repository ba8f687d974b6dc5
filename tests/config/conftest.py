"""A state folder for the tests of `./run`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.running import processes_of, run


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder with a migrated database in it."""
    folder = tmp_path_factory.mktemp("var")
    yield folder
    run(folder, "stop")
    assert processes_of(folder) == []
    shutil.rmtree(folder)
