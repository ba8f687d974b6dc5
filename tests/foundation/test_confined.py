"""Hostile files keep few threads, and not for long."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest

from foundation import confined


@pytest.fixture
def program(tmp_path: Path):
    """Return the path of a program of these lines."""

    def written(lines: str) -> str:
        place = tmp_path / "program.py"
        place.write_text(lines)
        return str(place)

    return written


class TestRun:
    def test_gives_the_input_and_the_words_and_nothing_of_ours(self, program) -> None:
        path = program(
            "import os, sys\n"
            "print(sys.stdin.read(), sys.argv[1], os.getcwd(), sorted(os.environ), end='')\n"
        )
        os.environ["A_KEY_OF_OURS"] = "secret"

        told = confined.run(path, b"file", seconds=30, most_output=1000, words=("word",))

        assert told.ended
        assert told.output.startswith(b"file word / [")
        assert b"A_KEY_OF_OURS" not in told.output

    def test_ends_what_never_ends(self, program) -> None:
        path = program("import time\nprint('begun', flush=True)\ntime.sleep(60)\n")
        begun = time.monotonic()

        told = confined.run(path, b"", seconds=1.5, most_output=1000)

        assert not told.ended
        assert time.monotonic() - begun < 20

    def test_reads_no_more_than_it_was_told(self, program) -> None:
        told = confined.run(program("print('x' * 10_000)"), b"", seconds=30, most_output=10)

        assert told == confined.Told(b"x" * 10, True)

    def test_says_when_the_program_failed(self, program) -> None:
        assert not confined.run(program("1 / 0"), b"", seconds=30, most_output=10).ended


class TestPlace:
    def test_two_are_looked_through_two_wait_and_the_others_are_told_at_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(confined, "PATIENCE_SECONDS", 30.0)
        inside, over = Barrier(3, timeout=20), Event()

        def hold() -> None:
            with confined.place():
                inside.wait()
                over.wait(20)

        def ask() -> None:
            with confined.place():
                pass

        with ThreadPoolExecutor(4) as pool:
            holding = [pool.submit(hold) for _ in range(2)]
            inside.wait()
            waiting = [pool.submit(ask) for _ in range(2)]
            while confined._doors._value:
                time.sleep(0.01)
            for _ in range(3):
                with pytest.raises(confined.Busy):
                    ask()
            assert not any(one.done() for one in waiting)
            over.set()
            for one in holding + waiting:
                one.result(20)

    def test_is_free_again_after_an_error(self) -> None:
        for _ in range(5):
            with pytest.raises(ZeroDivisionError), confined.place():
                _ = 1 / 0


class TestPatience:
    def test_ends_with_a_slow_file_or_with_the_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        patience = confined.Patience()
        patience.require()
        patience.end()
        with pytest.raises(confined.Busy):
            patience.require()

        monkeypatch.setattr(confined, "REQUEST_SECONDS", 0.0)
        with pytest.raises(confined.Busy):
            confined.Patience().require()
