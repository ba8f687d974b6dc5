"""Which PostgreSQL the product works with."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from foundation import checks


class TestTheVersion:
    @pytest.mark.parametrize(("version", "said"), [(140_020, 1), (150_000, 0), (180_001, 0)])
    def test_must_be_15_or_newer(
        self, version: int, said: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checks, "_version", lambda name: version)

        assert len(checks.check_version(databases=["default"])) == said

    @pytest.mark.django_db
    def test_of_this_server_will_do(self) -> None:
        assert checks.check_version(databases=["default"]) == []

    def test_is_asked_before_anything_is_migrated(
        self, cloned_db: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checks, "_version", lambda name: 140_020)

        with pytest.raises(SystemCheckError, match="PostgreSQL 14 is too old: 15 is the oldest"):
            call_command("migrate", stdout=io.StringIO(), skip_checks=False)
