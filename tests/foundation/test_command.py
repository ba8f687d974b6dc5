"""Every command with `--json` answers a program with JSON, its errors included."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import ArgumentParser, _SubParsersAction
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from foundation.command import JsonCommand
from tests.databases import PACKAGES
from tests.factories.merchants import MerchantFactory

OURS = sorted((app, name) for name, app in get_commands().items() if app in PACKAGES)


def speaks_json(parser: ArgumentParser) -> bool:
    """Whether the command, or one of its actions, has the option."""
    if "--json" in parser._option_string_actions:
        return True
    inner = (action for action in parser._actions if isinstance(action, _SubParsersAction))
    return any(speaks_json(one) for action in inner for one in action.choices.values())


def command(name: str) -> BaseCommand:
    return load_command_class(get_commands()[name], name)


def run(name: str, *words: str) -> int:
    """Run a command as the command line does; return its exit code."""
    try:
        command(name).run_from_argv(["manage.py", name, *words])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


WITH_JSON = [
    name for _app, name in OURS if speaks_json(command(name).create_parser("manage.py", name))
]


def test_there_are_some() -> None:
    assert {"settle", "payouts", "import_payments", "verify", "create_staff"} <= set(WITH_JSON)


@pytest.mark.parametrize("name", WITH_JSON)
class TestEveryCommand:
    def test_stands_in_the_frame(self, name: str) -> None:
        assert isinstance(command(name), JsonCommand)

    def test_answers_a_usage_error_with_json(self, name: str, capsys: Any) -> None:
        code = run(name, "--json", "--no-such-option")

        told = capsys.readouterr()
        answer = json.loads(told.out)
        assert (code, answer["error"]) == (2, "usage")
        assert answer["message"]
        assert answer["message"] in told.err

    def test_says_it_to_people_on_the_error_stream_alone(self, name: str, capsys: Any) -> None:
        code = run(name, "--no-such-option")

        told = capsys.readouterr()
        assert (code, told.out) == (2, "")
        assert "usage:" in told.err


@pytest.mark.django_db
class TestRefusals:
    @pytest.mark.parametrize(
        "words",
        [
            ("import_payments", "--json", "/nowhere/at/all.csv"),
            ("settle", "--json", "--date", "yesterday"),
            ("settle", "--json", "--date", "2026-02-30"),
            ("settle", "--json", "--date", "03.03.2026"),
            ("settle", "--json", "--date", "2026-03-03", "--part-size", "0"),
            ("payouts", "statement", "--json", "--day", "2026-13-01"),
            ("payouts", "--json"),
            ("release_due", "--json", "--date", "x", "M1"),
            ("release_due", "--json", "nobody"),
            ("create_bank_account", "--json", "--merchant", "nobody", "--number", "1",
             "--holder", "h", "--bank", "b"),
            ("create_api_key", "--json", "till", "--scope", "balances:read", "--days", "0"),
            ("verify", "--json", "--only", "I99"),
            ("load_calendar_year", "--json"),
        ],
        ids=lambda words: " ".join(words),
    )  # fmt: skip
    def test_of_usage_are_one_object_and_exit_code_2(
        self, words: tuple[str, ...], capsys: Any
    ) -> None:
        code = run(*words)

        answer = json.loads(capsys.readouterr().out)
        assert (code, set(answer)) == (2, {"error", "message"})
        assert answer["error"] == "usage"

    def test_of_a_rule_carry_its_code(self, capsys: Any) -> None:
        words = ("--number", "12345678", "--holder", "h", "--bank", "b", "--currency", "XXQ")
        code = run(
            "create_bank_account", "--json", "--merchant", MerchantFactory().merchant_no, *words
        )

        answer = json.loads(capsys.readouterr().out)
        assert code == 1
        assert answer["error"] not in {"refused", "usage"}

    def test_leave_the_answer_alone_that_was_given_already(
        self, tmp_path: Path, capsys: Any
    ) -> None:
        year = tmp_path / "2027.csv"
        year.write_text("date,is_business_day,name\n2027-01-01,maybe,\n")

        code = run("load_calendar_year", "--json", str(year))

        assert code == 1
        assert json.loads(capsys.readouterr().out)["errors"]


def test_a_reader_that_goes_ends_a_command_without_a_word() -> None:
    code = """
import os, sys
from foundation.command import JsonCommand
class Long(JsonCommand):
    requires_system_checks = []
    def handle(self, **_options):
        for _ in range(100):
            self.stdout.write("x" * 10_000)
reading, writing = os.pipe()
os.dup2(writing, 1), os.close(writing), os.close(reading)
Long().run_from_argv(["manage.py", "long"])
"""
    ended = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, check=False)

    assert (ended.returncode, ended.stderr) == (141, b"")
