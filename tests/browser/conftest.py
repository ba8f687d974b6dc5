"""A real server on a database of the test's own, and Debian's Chromium that looks at it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.servers import serving

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is; without it the test says how to get it and is skipped."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("No chromium: apt-get install --no-install-recommends chromium fonts-noto-cjk")
    return found


@pytest.fixture
def server(cloned_db: str, tmp_path: Path) -> Iterator[str]:
    """Return the address of gunicorn, serving the clone."""
    with serving(tmp_path) as served:
        yield served.address


class Watched:
    """A page of the browser, and whatever on it should not have been."""

    def __init__(self, context: BrowserContext) -> None:
        self.faults: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        self.page.on("request", self._request)
        self.page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        kind, text = message.type, message.text
        if kind in ("error", "warning"):
            self.faults.append(f"console {kind}: {text}")

    def _request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and url.hostname != "127.0.0.1":
            self.faults.append(f"request to {url.hostname}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.status} {response.url}")


@pytest.fixture
def browser(chromium: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """A browser without a window. Its event loop lives in this thread, beside Django's database."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield running
        running.close()
