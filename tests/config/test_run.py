"""`./run manage` and `./run serve`: what they prepare, share, and leave behind."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.config.running import MARKS, processes_of, run, serving, start, until

pytestmark = MARKS


def _mark(folder: Path) -> str:
    """How the short folder for a socket of this state folder is named."""
    wanted = os.fsencode(folder / "postgres")
    return hashlib.sha256(wanted).hexdigest()[:12]


class TestManage:
    def test_answers_and_leaves_nothing_running(self, var: Path) -> None:
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

    def test_prepares_a_path_too_long_and_too_strange_for_a_socket(self, tmp_path: Path) -> None:
        folder = tmp_path / ("very long " * 9) / '账房\'s "state"'

        told = run(folder, "manage", "verify", "--json")

        assert (told.returncode, json.loads(told.stdout)["ok"]) == (0, True), told.stderr
        assert processes_of(folder) == []
        assert not [*Path("/tmp").glob(f"countinghouse-{os.geteuid()}-{_mark(folder)}")]


class TestServe:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_ends_every_process_when_it_is_stopped(self, var: Path, number: int) -> None:
        process = start(var, "serve")
        serving(process)
        assert len(processes_of(var)) > 4

        process.send_signal(number)

        assert process.wait(30) in {0, 128 + number}
        assert processes_of(var) == []

    def test_leaves_nothing_when_it_was_killed(self, var: Path) -> None:
        process = start(var, "serve")
        serving(process)
        process.kill()
        process.wait()

        until(lambda: not processes_of(var))  # the caretaker sees to it
        told = run(var, "manage", "verify", "--json")

        assert told.returncode == 0, told.stderr
        assert processes_of(var) == []

    def test_keeps_the_servers_for_another_run_when_one_was_killed(self, var: Path) -> None:
        first, second = start(var, "serve"), start(var, "serve")
        serving(first)
        address = serving(second)
        first.kill()
        first.wait()

        until(lambda: len([words for words in processes_of(var) if "gunicorn" in words]) == 3)
        time.sleep(2.5)  # the caretaker has looked twice

        assert urllib.request.urlopen(address + "readyz", timeout=5).status == 200
        second.send_signal(signal.SIGTERM)
        assert second.wait(30) in {0, 143}
        assert processes_of(var) == []

    def test_writes_nothing_into_the_home_folder(self, var: Path, tmp_path: Path) -> None:
        process = start(var, "serve", HOME=str(tmp_path))
        serving(process)

        process.send_signal(signal.SIGTERM)

        assert process.wait(30) in {0, 143}
        assert list(tmp_path.iterdir()) == []

    def test_begins_anew_after_everything_was_killed(self, var: Path) -> None:
        process = start(var, "serve")
        serving(process)
        server = int((var / "postgres/data/postmaster.pid").read_text().split("\n")[0])
        for pid in (process.pid, server):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        (var / "postgres/data/postmaster.pid").write_text(f"{os.getpid()}\n")  # a number used again

        told = run(var, "manage", "verify", "--json")

        assert told.returncode == 0, told.stderr

    def test_shares_the_servers_with_a_second_run(self, var: Path) -> None:
        first = start(var, "serve")
        address = serving(first)

        second = start(var, "serve")

        assert serving(second) != address  # the next port
        second.send_signal(signal.SIGINT)
        assert second.wait(30) == 0
        assert urllib.request.urlopen(address + "readyz", timeout=5).status == 200
        assert run(var, "stop").returncode == 0
        assert first.wait(30) == 0
        assert processes_of(var) == []

    @pytest.mark.parametrize("seconds", [0.05, 0.6, 1.5])
    def test_leaves_nothing_when_it_is_stopped_during_set_up(
        self, tmp_path: Path, seconds: float
    ) -> None:
        process = start(tmp_path / "var", "serve")
        time.sleep(seconds)

        process.send_signal(signal.SIGINT)

        process.communicate(timeout=30)
        assert processes_of(tmp_path / "var") == []
