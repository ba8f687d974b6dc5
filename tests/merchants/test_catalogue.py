"""Every text of the package has its Chinese."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import polib
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
CATALOGUE = polib.pofile(str(ROOT / "locale/merchants/zh_Hans/LC_MESSAGES/django.po"))


def english_in_code() -> set[str]:
    return {
        str(node.args[0].value)
        for path in ROOT.glob("merchants/**/*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "_"
        and isinstance(node.args[0], ast.Constant)
    }


class TestCatalogue:
    def test_has_chinese_for_every_text_of_the_package(self) -> None:
        translated = {entry.msgid for entry in CATALOGUE.translated_entries()}

        assert sorted(english_in_code() - translated) == []

    def test_keeps_the_placeholders(self) -> None:
        marks = re.compile(r"%\(\w+\)s")

        for entry in CATALOGUE:
            assert sorted(marks.findall(entry.msgid)) == sorted(marks.findall(entry.msgstr)), entry
