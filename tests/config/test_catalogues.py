"""The message catalogues compile, and what they say fits the message it translates."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.checkers import num_plurals, python_format
from babel.messages.pofile import read_po
from django.core.management import CommandError, call_command
from django.utils import translation

from foundation.management.commands import compile_catalogues
from tests.databases import ROOT

CATALOGUES = sorted((ROOT / "locale").glob("*/*/LC_MESSAGES/*.po"))


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
