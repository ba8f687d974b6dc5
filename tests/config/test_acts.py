"""Every act that the code records on the audit trail has a name in both languages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from django.utils import translation

from foundation import registries
from tests.databases import PACKAGES, ROOT

CODE = re.compile(r"[a-z_]+\.[a-z_]+")
# Given to `audit.record` by a name that stands elsewhere in the module.
BY_NAME = {
    "account.password_reset",
    "document.look",
    "document.download",
    "payment_password.change",
    "payment_password.reset",
    "webhook.choose",
    "webhook.remove",
    "webhook.resume",
}


def recorded(text: str) -> Iterator[str]:
    """Return the acts that calls of `record` and `_record` name."""
    for call in ast.walk(ast.parse(text)):
        if not isinstance(call, ast.Call):
            continue
        called = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if called.lstrip("_") == "record":
            given = [*call.args, *(one.value for one in call.keywords if one.arg == "action")]
            for node in (node for part in given for node in ast.walk(part)):
                if isinstance(node, ast.Constant) and CODE.fullmatch(str(node.value)):
                    yield str(node.value)


def acts() -> set[str]:
    texts = (
        path.read_text(encoding="utf-8")
        for package in PACKAGES
        for folder in ("services", "selectors", "portal", "admin", "api")
        for path in (ROOT / package / folder).glob("*.py")
    )
    return {act for text in texts if "record(" in text for act in recorded(text)} | BY_NAME


class TestEveryAct:
    def test_has_a_name(self) -> None:
        found = acts()

        assert len(found) > 70
        assert sorted(found - dict(registries.acts.items()).keys()) == []

    @pytest.mark.parametrize("language", ["en", "zh-hans"])
    def test_is_called_by_words_of_its_own(self, language: str) -> None:
        with translation.override(language):
            names = {str(title): act for act, title in registries.acts.items()}

        assert len(names) == len(registries.acts.items())
        spoken = re.compile(r"[A-Z]" if language == "en" else r"[\u4e00-\u9fff]|API")
        assert [name for name in names if not spoken.match(name)] == []
