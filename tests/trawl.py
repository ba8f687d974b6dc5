"""
What a scenario leaves behind, searched for what must be nowhere: logs, rows, task arguments,
mails, answers.

Use: `with Trawl() as trawl: ...` around the scenario; `trawl.answer(response)` for what people are
shown; then `assert trawl.found(secrets) == []`.
"""

from __future__ import annotations

import base64
import io
import logging
import zipfile
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any

from celery.signals import before_task_publish
from django.core import mail
from django.db import connection

from config import logs

LOUD = "INFO"  # what production writes


class Trawl:
    """Listens to the logs of both kinds and to published tasks while the block runs."""

    def __init__(self) -> None:
        self._written = {"log": io.StringIO(), "log as JSON": io.StringIO()}
        self._shown: list[tuple[str, str]] = []
        self._handlers: list[logging.Handler] = []

    def __enter__(self) -> Trawl:
        for name, written in self._written.items():
            formatter = logs.settings(as_json=name != "log", level=LOUD)["formatters"]["lines"]
            make = formatter.pop("()")
            handler = logging.StreamHandler(written)
            handler.setLevel(LOUD)
            handler.setFormatter(make(**formatter))
            logging.getLogger().addHandler(handler)
            self._handlers.append(handler)
        self._level = logging.getLogger().level
        logging.getLogger().setLevel(LOUD)
        before_task_publish.connect(self._published)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        before_task_publish.disconnect(self._published)
        logging.getLogger().setLevel(self._level)
        for handler in self._handlers:
            logging.getLogger().removeHandler(handler)

    def answer(self, response: Any) -> Any:
        """Keep what was shown or handed out; return it."""
        body = b"".join(response.streaming_content) if response.streaming else response.content
        path = response.request["PATH_INFO"]
        self._shown.append((f"answer of {path}", body.decode("utf-8", "replace")))
        self._shown.append((f"headers of {path}", str(dict(response.items()))))
        return response

    def unpacked(self, response: Any, form: str) -> None:
        """Keep a file that was handed out; of an XLSX what is in it."""
        body = response.getvalue()
        if form == "xlsx":
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                body = b"".join(archive.read(name) for name in archive.namelist())
        path = response.request["PATH_INFO"]
        self._shown.append((f"file of {path}", body.decode("utf-8", "replace")))

    def error(self, error: BaseException) -> None:
        """Keep what an error says of itself."""
        self._shown.append((f"error {type(error).__name__}", f"{error} {error!r} {vars(error)}"))

    def found(self, secrets: Iterable[str]) -> list[str]:
        """Return where each secret is found: as it is, as hexadecimal or base64 text."""
        wanted = {form: secret for secret in secrets for form in forms(secret)}
        return sorted(
            {
                f"{where}: {secret}"
                for where, text in self._left_behind()
                for form, secret in wanted.items()
                if form in text
            }
        )

    def _left_behind(self) -> Iterator[tuple[str, str]]:
        for where, written in self._written.items():
            yield where, written.getvalue()
        yield from self._shown
        for sent in mail.outbox:
            yield f"mail to {sent.to}", f"{sent.subject} {sent.body} {sent.extra_headers}"
        yield from rows()

    def _published(self, body: Any = None, headers: Any = None, **_: Any) -> None:
        self._shown.append(("task", f"{body} {headers}"))


def forms(secret: str) -> set[str]:
    """Return the ways in which a secret may lie about."""
    raw = secret.encode()
    coded = base64.b64encode(raw).decode().rstrip("=")[:-1]
    return {secret, raw.hex(), coded}


def rows() -> Iterator[tuple[str, str]]:
    """Yield every row of every table as text; bytes are hexadecimal."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p')"
            " AND c.relnamespace = 'public'::regnamespace"
            " AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM public."{table}" t')
            for (text,) in cursor.fetchall():
                yield f"table {table}", text
