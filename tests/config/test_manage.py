"""The command line speaks the language of its terminal."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.databases import ROOT

CHINESE = "输出一个 JSON 对象"


class TestManage:
    @pytest.mark.parametrize(
        ("given", "chinese"),
        [
            ({"LANG": "zh_CN.UTF-8"}, True),
            ({"LANG": "C.UTF-8"}, False),
            ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, False),
            ({}, False),
        ],
    )
    def test_speaks_like_the_terminal(self, given: dict[str, str], chinese: bool) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))}

        told = subprocess.run(
            [sys.executable, "manage.py", "create_staff", "--help"],
            cwd=ROOT,
            env=kept | given | {"PYTHONUTF8": "1"},
            capture_output=True,
            encoding="utf-8",
            check=True,
        )

        assert (CHINESE in told.stdout) is chinese
        assert ("JSON" in told.stdout) is True

    def test_names_a_variable_that_is_missing(self) -> None:
        told = subprocess.run(
            [sys.executable, "manage.py", "check"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings.local"},
            capture_output=True,
            text=True,
            check=False,
        )

        assert told.returncode == 1
        assert told.stderr == "manage.py: Set the SECRET_KEY environment variable\n"
