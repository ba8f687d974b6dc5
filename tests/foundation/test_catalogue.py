import ast
import re
from datetime import date
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.utils import translation

from foundation.models import BusinessDay
from foundation.services import calendar

ROOT = Path(settings.BASE_DIR)
CATALOGUE = polib.pofile(str(ROOT / "locale/foundation/zh_Hans/LC_MESSAGES/django.po"))


def english_in_code() -> set[str]:
    """Every text that `foundation` hands to gettext."""
    found = set()
    for path in ROOT.glob("foundation/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") in {"_", "gettext", "gettext_lazy"}
                and isinstance(node.args[0], ast.Constant)
            ):
                found.add(str(node.args[0].value))
    return found


class TestCatalogue:
    def test_has_chinese_for_every_text_of_the_package(self):
        translated = {entry.msgid for entry in CATALOGUE.translated_entries()}

        assert sorted(english_in_code() - translated) == []

    def test_keeps_the_placeholders(self):
        marks = re.compile(r"%\(\w+\)s")

        for entry in CATALOGUE:
            for said in (entry.msgstr_plural or {0: entry.msgstr}).values():
                assert sorted(marks.findall(entry.msgid)) == sorted(marks.findall(said)), entry

    @pytest.mark.django_db
    def test_tells_in_chinese_how_a_date_was_computed(self, tmp_path, settings):
        folder = tmp_path / "zh_Hans" / "LC_MESSAGES"
        folder.mkdir(parents=True)
        CATALOGUE.save_as_mofile(str(folder / "django.mo"))
        settings.LOCALE_PATHS = [tmp_path]

        with translation.override("zh-hans"):
            told = [str(step) for step in calendar.explain(date(2026, 2, 13), 2).steps]

        assert told == [
            "2026-02-13 (星期五)：从这一天起算。",
            "2026-02-14 (星期六)：春节调休上班，第 1 个工作日，共 2 个。",
            "2026-02-15 – 2026-02-23：春节，不计入。",
            "2026-02-24 (星期二)：第 2 个工作日，共 2 个。",
        ]

    @pytest.mark.django_db
    def test_has_chinese_for_every_holiday(self):
        names = set(BusinessDay.objects.exclude(name="").values_list("name", flat=True))

        assert names <= {entry.msgid for entry in CATALOGUE.translated_entries()}
