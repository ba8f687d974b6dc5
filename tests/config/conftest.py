"""A state folder for the tests of `./run`."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.config.running import processes_of, run


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """
    A state folder with a migrated database in it, to be copied: setting one up takes 20 seconds.

    The processes of one test run share it; the last one removes it.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = shared / "prepared"
    with (shared / "making.lock").open("w") as making, (shared / "using.lock").open("w") as using:
        fcntl.flock(making, fcntl.LOCK_EX)
        fcntl.flock(using, fcntl.LOCK_SH)
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            told = run(folder / "var", "manage", "check")
            assert told.returncode == 0, told.stderr
            (folder / "done").touch()
        fcntl.flock(making, fcntl.LOCK_UN)
        yield folder / "var"
        fcntl.flock(making, fcntl.LOCK_EX)  # nobody begins to use what is going to be removed
        with suppress(BlockingIOError):
            fcntl.flock(using, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)


@pytest.fixture(scope="module")
def var(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder with a migrated database in it."""
    folder = tmp_path_factory.mktemp("run") / "var"
    shutil.copytree(prepared, folder, symlinks=True)
    yield folder
    run(folder, "stop")
    assert processes_of(folder) == []
    shutil.rmtree(folder)
