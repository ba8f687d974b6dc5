"""What `./run` says when it cannot go on, and what `./run doctor` says before."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from config.embedded import preconditions
from tests.config.running import MARKS, run
from tests.databases import ROOT

pytestmark = MARKS


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

    def test_for_a_port_that_is_taken(self, var: Path) -> None:
        with preconditions.listen_from(8300) as door:
            port = preconditions.port_of(door)

            told = run(var, "serve", "--port", str(port))

        assert told.returncode == 2
        assert told.stderr == f"run: Port {port} of 127.0.0.1 is taken; choose another one.\n"

    def test_for_a_missing_way_to_a_package_index(self, tmp_path: Path) -> None:
        nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_RETRIES": "0"}
        nowhere |= {"PIP_CONFIG_FILE": os.devnull, "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}

        told = run(tmp_path, "manage", "check", COUNTINGHOUSE_PYTHON="", **nowhere)

        assert told.returncode == 2
        said = told.stderr.splitlines()
        assert said[0].startswith("run: Installing the libraries of requirements.lock")
        assert said[1].startswith("run: The libraries cannot be fetched: no package index that has")
        assert len(said) == 2

    def test_for_a_missing_venv_module(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

        with pytest.raises(preconditions.CannotGoOn, match="venv is missing; on Debian"):
            preconditions.venv_module()

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
