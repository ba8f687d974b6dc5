"""The message catalogues compile, and what they say fits the message it translates."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest
from babel.messages.checkers import num_plurals, python_format
from babel.messages.pofile import read_po
from django.core.management import CommandError, call_command
from django.utils import translation

from foundation.management.commands import compile_catalogues
from tests.databases import ROOT

_SPEAKS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy"}
CATALOGUES = sorted((ROOT / "locale").glob("*/*/LC_MESSAGES/*.po"))


def texts(package: Path) -> Iterator[tuple[str, str]]:
    """Yield (context, text) of everything that a package's code hands to gettext."""
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            words = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            if node.func.id in _SPEAKS and words:
                yield "", words[0]
            elif node.func.id in ("pgettext", "pgettext_lazy") and len(words) == 2:
                yield words[0], words[1]


class TestTheCatalogues:
    @pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-4])
    def test_fit_their_messages(self, path: Path) -> None:
        with path.open("rb") as file:
            catalogue = read_po(file, abort_invalid=True)

        assert len(catalogue) > 0
        for message in catalogue:
            if message.id and message.string:
                python_format(catalogue, message)
                num_plurals(catalogue, message)

    @pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-4])
    def test_say_everything(self, path: Path) -> None:
        with path.open("rb") as file:
            catalogue = read_po(file)

        assert [message.id for message in catalogue if message.id and not message.string] == []
        assert [message.id for message in catalogue if message.id and message.fuzzy] == []

    def test_say_one_thing_in_one_way(self) -> None:
        said: dict[tuple[str, str], set[str]] = {}
        for path in CATALOGUES:
            for entry in polib.pofile(str(path)):
                said.setdefault((entry.msgctxt or "", entry.msgid), set()).add(entry.msgstr)

        assert {text: words for text, words in said.items() if len(words) > 1} == {}

    @pytest.mark.parametrize(
        "package", ["foundation", "merchants", "ledger", "channels", "settlement"]
    )
    def test_have_chinese_for_every_text_of_the_code(self, package: str) -> None:
        entries = [entry for path in CATALOGUES for entry in polib.pofile(str(path))]
        known = {(entry.msgctxt or "", entry.msgid) for entry in entries}

        assert sorted(set(texts(ROOT / package)) - known) == []

    def test_compile_only_what_is_new(self, tmp_path: Path, settings, capsys) -> None:
        folder = tmp_path / "zh_Hans/LC_MESSAGES"
        folder.mkdir(parents=True)
        header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
        (folder / "django.po").write_text(header + 'msgid "Merchant"\nmsgstr "商户"\n')
        settings.LOCALE_PATHS = [tmp_path]

        call_command("compile_catalogues")
        call_command("compile_catalogues")

        assert capsys.readouterr().out == "1 catalogues compiled.\n0 catalogues compiled.\n"
        assert [path.name for path in folder.iterdir() if path.suffix != ".po"] == ["django.mo"]

    def test_say_in_a_sentence_that_they_cannot_be_written(
        self, tmp_path: Path, settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "zh_Hans/LC_MESSAGES"
        folder.mkdir(parents=True)
        (folder / "django.po").write_text('msgid ""\nmsgstr ""\n')
        settings.LOCALE_PATHS = [tmp_path]

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(compile_catalogues, "write_mo", refuse)

        with pytest.raises(CommandError, match=r"LC_MESSAGES cannot be written \(Permission den"):
            call_command("compile_catalogues")

    def test_are_what_django_speaks(self) -> None:
        call_command("compile_catalogues", verbosity=0)

        with translation.override("zh-hans"):
            assert translation.gettext("Foundation") != "Foundation"

    @pytest.mark.parametrize(
        ("context", "text", "chinese"),
        [
            (None, "Close", "关闭"),  # the theme's button on every page, not the end of a merchant
            ("proof", "right", "正确"),  # what became of a proof
            (None, "right", "权限"),  # what somebody may do
        ],
    )
    def test_tell_words_of_two_meanings_apart(
        self, context: str | None, text: str, chinese: str
    ) -> None:
        call_command("compile_catalogues", verbosity=0)

        with translation.override("zh-hans"):
            said = translation.pgettext(context, text) if context else translation.gettext(text)

        assert said == chinese
