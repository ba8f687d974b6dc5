"""`./run` as people use it: a state folder of its own, real servers, real signals."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.embedded import preconditions
from tests.databases import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("run"),
    pytest.mark.skipif(
        sys.platform != "linux" or os.uname().machine != "x86_64",
        reason="The embedded servers run on Linux x86_64.",
    ),
]
GIVEN = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_SUPERUSER_URL", "CELERY_BROKER_URL")


def environment(var: Path, **more: str) -> dict[str, str]:
    """A user's environment, with the libraries that are installed already."""
    clean = {name: value for name, value in os.environ.items() if name not in GIVEN}
    clean.pop("DJANGO_SETTINGS_MODULE", None)
    return clean | {"COUNTINGHOUSE_VAR": str(var), "COUNTINGHOUSE_PYTHON": sys.executable} | more


def run(var: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "run", *words],
        cwd=ROOT,
        env=environment(var, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def start(var: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "run", *words],
        cwd=ROOT,
        env=environment(var),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def processes_of(var: Path) -> list[str]:
    """What runs with this state folder in its command line or its environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes() + b"\0" + (folder / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(var) in words and int(folder.name) != os.getpid():
            found.append(words.split(b"\0\0")[0].replace(b"\0", b" ").decode(errors="replace"))
    return found


def until(reached: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := reached()):
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.05)
    return value


def serving(process: subprocess.Popen[str]) -> str:
    """The address of the web server, once it answers there."""
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address, process.stderr and process.stderr.read()

    def answers() -> bool:
        try:
            urllib.request.urlopen(address + "healthz", timeout=2)
        except OSError:
            return False
        return True

    until(answers)
    return address


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder with a migrated database in it."""
    folder = tmp_path_factory.mktemp("var")
    yield folder
    run(folder, "stop")
    assert processes_of(folder) == []
    shutil.rmtree(folder)


class TestManage:
    def test_prepares_everything_and_leaves_nothing_running(self, var: Path) -> None:
        told = run(var, "manage", "verify", "--json")

        assert (told.returncode, json.loads(told.stdout)["ok"]) == (0, True), told.stderr
        assert processes_of(var) == []

    def test_hands_on_the_exit_code(self, var: Path) -> None:
        assert run(var, "manage", "no_such_command").returncode == 1

    def test_keeps_the_secrets_to_itself_and_for_good(self, var: Path) -> None:
        run(var, "manage", "check")
        before = (var / "secrets").read_bytes()

        run(var, "manage", "check")

        assert (var / "secrets").read_bytes() == before
        assert (var / "secrets").stat().st_mode & 0o077 == 0
        assert (var / "postgres").stat().st_mode & 0o077 == 0

    def test_works_as_a_role_that_may_not_write_the_ledger(self, var: Path) -> None:
        program = (
            "from django.db import connection as c; c.cursor().execute('DELETE FROM ledger_entry')"
        )

        told = run(var, "manage", "shell", "--command", program)

        assert "permission denied for table ledger_entry" in told.stderr

    def test_works_with_a_path_too_long_and_too_strange_for_a_socket(self, tmp_path: Path) -> None:
        folder = tmp_path / ("very long " * 9) / '账房\'s "state"'

        told = run(folder, "manage", "verify", "--json")

        assert told.returncode == 0, told.stderr
        assert processes_of(folder) == []


class TestServe:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_ends_every_process_when_it_is_stopped(self, var: Path, number: int) -> None:
        process = start(var, "serve", "--port", "8300")
        serving(process)
        assert len(processes_of(var)) > 4

        process.send_signal(number)

        assert process.wait(30) == 0
        assert processes_of(var) == []

    def test_begins_anew_after_it_was_killed(self, var: Path) -> None:
        process = start(var, "serve", "--port", "8300")
        serving(process)
        process.kill()
        process.wait()

        until(lambda: not [words for words in processes_of(var) if "gunicorn" in words])
        told = run(var, "manage", "verify", "--json")

        assert told.returncode == 0, told.stderr
        assert processes_of(var) == []  # it was the last to leave

    def test_begins_anew_after_everything_was_killed(self, var: Path) -> None:
        process = start(var, "serve", "--port", "8300")
        serving(process)
        server = int((var / "postgres/data/postmaster.pid").read_text().split("\n")[0])
        for pid in (process.pid, server):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        (var / "postgres/data/postmaster.pid").write_text(f"{os.getpid()}\n")  # a number used again

        told = run(var, "manage", "verify", "--json")

        assert told.returncode == 0, told.stderr

    def test_shares_the_servers_with_a_second_run(self, var: Path) -> None:
        first = start(var, "serve", "--port", "8300")
        address = serving(first)

        second = start(var, "serve", "--port", "8300")

        assert serving(second) != address  # the next port
        second.send_signal(signal.SIGINT)
        assert second.wait(30) == 0
        assert urllib.request.urlopen(address + "readyz", timeout=5).status == 200
        assert run(var, "stop").returncode == 0
        assert first.wait(5) == 0
        assert processes_of(var) == []

    @pytest.mark.parametrize("seconds", [0.05, 0.3, 0.6, 1.0, 1.5, 2.5])
    def test_leaves_nothing_when_it_is_stopped_during_set_up(
        self, tmp_path: Path, seconds: float
    ) -> None:
        process = start(tmp_path / "var", "serve", "--port", "8300")
        time.sleep(seconds)

        process.send_signal(signal.SIGINT)

        process.communicate(timeout=30)
        assert processes_of(tmp_path / "var") == []


class TestAPreconditionIsSaidInOneSentence:
    @pytest.mark.parametrize(
        ("words", "given", "sentence"),
        [
            (["no-such"], {}, "There is no command 'no-such'"),
            (["serve"], {"DATABASE_OWNER_URL": "postgresql:///x"}, "set without DATABASE_URL"),
            (["serve"], {"DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "Migrating the database"),
            (["doctor", "--xml"], {}, "doctor takes --json"),
        ],
    )
    def test_for_what_was_asked(
        self, var: Path, words: list[str], given: dict[str, str], sentence: str
    ) -> None:
        told = run(var, *words, **given)

        assert told.returncode == 2
        assert sentence in told.stderr
        assert "Traceback" not in told.stderr
        assert len(told.stderr.splitlines()) == 1

    def test_for_a_state_folder_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        told = run(tmp_path / "file", "manage", "check")

        assert told.returncode == 2
        assert told.stderr == f"run: {tmp_path / 'file'} cannot be written (File exists).\n"

    @pytest.mark.skipif(os.geteuid() != 0, reason="Only root needs a user namespace.")
    def test_for_root_without_unshare(self, var: Path, tmp_path: Path) -> None:
        (tmp_path / "unshare").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "unshare").chmod(0o755)

        told = run(var, "manage", "check", PATH=f"{tmp_path}:{os.environ['PATH']}")

        assert told.returncode == 2
        assert "does not run as root and `unshare` is refused" in told.stderr
        assert len(told.stderr.splitlines()) == 1

    def test_for_a_disk_without_room(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(preconditions, "DISK_BYTES", 10**18)

        with pytest.raises(preconditions.CannotGoOn, match="MB free and"):
            preconditions.writable(tmp_path)

    def test_for_an_old_python(self, var: Path) -> None:
        old = shutil.which("python3.10") or shutil.which("python3.9")
        if not old or subprocess.run([old, "-c", ""], capture_output=True, check=False).returncode:
            pytest.skip("No older Python on this machine.")

        told = subprocess.run(
            [old, str(ROOT / "run"), "doctor"],
            env={"PATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )

        assert told.returncode == 2
        assert told.stderr.startswith("run: Python 3.11 or newer is needed; this is 3.")


class TestDoctor:
    def test_says_what_holds(self, var: Path) -> None:
        told = run(var, "doctor", "--json")

        findings = {found["name"]: found for found in json.loads(told.stdout)}
        assert told.returncode == 0
        assert all(found["fine"] for found in findings.values())
        assert findings["broker"]["says"] == "embedded, stopped"

    def test_says_what_does_not(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        told = run(tmp_path / "file", "doctor")

        assert told.returncode == 2
        assert "FAIL  state folder" in told.stdout
