"""Choosing a file changes no other field of the form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.test_application import Desk, desk, somebody

__all__ = ["desk"]

pytestmark = pytest.mark.browser


def test_what_was_typed_stays_when_a_file_is_chosen_after_a_refusal(
    desk: Callable[..., Desk], tmp_path: Path
) -> None:
    somebody("operator", "en")
    operator = desk("operator", "en")
    listed = tmp_path / "list.csv"
    listed.write_text("NOBODY\n", encoding="utf-8")

    operator.open("merchants_merchant_move")
    operator.page.fill("[name=reason]", "order of the court")
    operator.page.fill("[name=document]", "2026-118")
    operator.page.set_input_files("[name=file]", listed)
    operator.click(".form-page form[method=post] button[type=submit]")
    assert "NOBODY" in operator.page.inner_text(".form-page")
    operator.watched.faults.clear()  # 400, as it should be
    operator.page.evaluate("document.body.append(document.createElement('p'))")  # the theme looks
    operator.page.set_input_files("[name=file]", listed)
    operator.page.set_input_files("[name=attachments]", listed)

    assert operator.page.input_value("[name=document]") == "2026-118"
    assert operator.page.input_value("[name=reason]") == "order of the court"
    assert operator.watched.faults == []
