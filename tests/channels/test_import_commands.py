"""`manage.py import_payments` and its siblings: exit codes, and what programs read."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from channels.models import Payment
from channels.services import payment_import
from tests.channels.test_clearing_services import FREE, brim_over
from tests.factories import channels as make
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db


def payments_file(folder: Path, *rows: list[str], name: str = "p.csv") -> Path:
    """Write a payments file."""
    path = folder / name
    lines = [payment_import.COLUMNS, *rows]
    path.write_text("".join(",".join(line) + "\n" for line in lines), encoding="utf-8")
    return path


def run(command: str, path: Path) -> tuple[int, dict[str, Any], str]:
    """Run an import with --json; return its exit code, what it told and its errors."""
    out, errors, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command(command, str(path), "--json", stdout=out, stderr=errors)
    except SystemExit as end:
        code = int(end.code or 0)
    except CommandError as refusal:
        code = refusal.returncode
        errors.write(str(refusal))
    return code, json.loads(out.getvalue() or "{}"), errors.getvalue()


class TestExitCodes:
    def test_three_when_stored_but_not_booked(self, tmp_path: Path) -> None:
        full = MerchantFactory.create()
        make.fees(FREE)
        brim_over(full.id)
        path = payments_file(tmp_path, make.payment_row("P1", full.merchant_no, "1.00"))

        code, told, _ = run("import_payments", path)

        assert (code, told["new"], told["payments"], told["failed"]) == (3, 1, 0, 1)
        assert Payment.objects.count() == 1

    def test_two_for_a_pipe_that_cannot_be_read_twice(self, tmp_path: Path) -> None:
        path = tmp_path / "pipe.csv"
        os.mkfifo(path)

        code, told, errors = run("import_payments", path)

        assert (code, told) == (2, {})
        assert "pipe.csv" in errors
