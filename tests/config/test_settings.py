"""The settings of production: nothing has a default that matters, and Django finds no fault."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from typing import Any

import pytest

from tests.databases import ROOT

KEY = "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8="


def check(**changed: str | None) -> subprocess.CompletedProcess[str]:
    """Run `check --deploy` as on a server; a variable that is None is not set."""
    return run("manage.py", "check", "--deploy", "--fail-level", "WARNING", **changed)


def settings_of_production(*names: str) -> list[Any]:
    """Return what these settings are on a server."""
    show = "import json; from django.conf import settings as s; print(json.dumps([%s]))"
    told = run("-c", show % ", ".join(f"s.{name}" for name in names))
    return list(json.loads(told.stdout))


def run(*words: str, **changed: str | None) -> subprocess.CompletedProcess[str]:
    """Run Python as on a server; a variable that is None is not set."""
    variables = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "DATABASE_URL": os.environ["DATABASE_URL"],
        "DATABASE_OWNER_URL": os.environ["DATABASE_OWNER_URL"],
        "SECRET_KEY": secrets.token_urlsafe(64),
        "FIELD_KEYS": os.environ["FIELD_KEYS"],  # those that the tests' databases are written with
        "LOOKUP_KEY": os.environ["LOOKUP_KEY"],
        "PASSWORD_PEPPER": secrets.token_urlsafe(32),
        "ALLOWED_HOSTS": "house.example.com",
        "CELERY_BROKER_URL": "amqp://broker.example.com",
        "EMAIL_URL": "smtp+tls://house:secret@mail.example.com:587",
        "MAIL_FROM": "house@example.com",
        "CACHE_URL": "redis://cache.example.com:6379/1",
    } | changed
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={name: value for name, value in variables.items() if value is not None},
        capture_output=True,
        text=True,
        check=False,
    )


class TestProduction:
    def test_is_without_fault(self, cloned_db: str) -> None:
        told = check()

        assert told.returncode == 0, told.stderr
        assert "no issues" in told.stdout + told.stderr

    def test_warns_when_one_role_does_everything(self, cloned_db: str) -> None:
        told = check(DATABASE_URL=os.environ["DATABASE_OWNER_URL"])

        assert told.returncode == 1
        assert "foundation.W001" in told.stderr
        assert "ledger_posting" in told.stderr

    def test_warns_when_the_roles_cannot_be_seen(self) -> None:
        told = check(DATABASE_URL="postgresql://127.0.0.1:1/none")

        assert told.returncode == 1
        assert "foundation.W002" in told.stderr

    @pytest.mark.parametrize("name", ["FIELD_KEYS", "LOOKUP_KEY"])
    def test_says_when_the_keys_are_another_machines(self, cloned_db: str, name: str) -> None:
        """Also when nothing was written with them yet."""
        other = {"FIELD_KEYS": '{"test": "' + KEY + '"}', "LOOKUP_KEY": KEY}

        told = check(**{name: other[name]})

        assert told.returncode == 1
        assert f"{name} is not what this database was written with." in told.stderr
        assert KEY not in told.stderr

    @pytest.mark.parametrize(
        "name",
        [
            "SECRET_KEY",
            "DATABASE_URL",
            "FIELD_KEYS",
            "LOOKUP_KEY",
            "PASSWORD_PEPPER",
            "ALLOWED_HOSTS",
            "CELERY_BROKER_URL",
            "CACHE_URL",
        ],
    )
    def test_has_no_default_for_what_matters(self, name: str) -> None:
        told = check(**{name: None})

        assert told.returncode != 0
        assert name in told.stderr
