"""`manage.py verify`: what it does with names that are no checks."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command


class TestOnly:
    def test_a_misspelt_name_is_wrong_usage_and_never_reads_as_all_well(self) -> None:
        with pytest.raises(CommandError, match=r"no such check: I99; there are .*I1,") as refusal:
            call_command("verify", "--only", "I1", "I99", stdout=io.StringIO())

        assert refusal.value.returncode == 2
