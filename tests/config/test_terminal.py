"""`./run` at a terminal: Ctrl-C, and a window that is closed."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.config.running import MARKS, environment, processes_of, run
from tests.databases import ROOT

pytestmark = MARKS
SLEEPER = (
    "import time; from django.db import connection as c; c.cursor().execute('SELECT 1');"
    " print('asleep', flush=True); time.sleep(60)"
)


@dataclass
class Terminal:
    """A command in a terminal of its own, as in a window."""

    pid: int
    screen: int
    seen: str = ""

    def read(self, seconds: float) -> bool:
        """Take in what appears; False when the other side has gone."""
        ready, _, _ = select.select([self.screen], [], [], seconds)
        if ready:
            try:
                self.seen += os.read(self.screen, 65_536).decode(errors="replace")
            except OSError:
                return False
        return True

    def wait_for(self, text: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            assert self.read(0.1), self.seen
            assert time.monotonic() < deadline, self.seen

    def end(self, *, watching: bool = True) -> int:
        """Wait for the command's end and return its exit code."""
        deadline = time.monotonic() + 30
        while True:
            if watching:
                self.read(0.05)
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, self.seen
            time.sleep(0.01)


def at_terminal(var: Path, *words: str) -> Terminal:
    pid, screen = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execve(sys.executable, [sys.executable, "run", *words], environment(var))
    return Terminal(pid, screen)


class TestATerminal:
    @pytest.fixture
    def sleeper(self, var: Path) -> Terminal:
        """A management command that is in the middle of its work."""
        terminal = at_terminal(var, "manage", "shell", "--command", SLEEPER)
        terminal.wait_for("asleep")
        return terminal

    def test_ends_everything_at_ctrl_c_and_says_so_in_a_word(
        self, var: Path, sleeper: Terminal
    ) -> None:
        os.write(sleeper.screen, b"\x03")

        assert sleeper.end() == 130
        assert "Stopped." in sleeper.seen
        assert "Traceback" not in sleeper.seen
        assert processes_of(var) == []

    def test_ends_everything_when_its_window_is_closed(self, var: Path, sleeper: Terminal) -> None:
        os.close(sleeper.screen)

        assert sleeper.end(watching=False) == 129
        assert processes_of(var) == []
        assert run(var, "manage", "verify").returncode == 0
