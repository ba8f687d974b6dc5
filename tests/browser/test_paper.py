"""What ends is seen by staff and by the merchant, on a desk and on a telephone."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from foundation import clock
from foundation.models import User
from merchants.models import Merchant
from merchants.services import paper_watch
from tests.browser.conftest import Watched
from tests.factories import paper as papers
from tests.factories import portal
from tests.factories.foundation import UserFactory

pytestmark = pytest.mark.browser
DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
Look = Callable[..., str]


@pytest.fixture
def late(cloned_db: str) -> Merchant:
    """A merchant whose licence has been over for long, and whose contract ends next month."""
    now = clock.now()
    today = clock.business_date(now)
    merchant = papers.approved(
        at=now - timedelta(days=200),
        licence_until=today - timedelta(days=40),
        contract_until=today + timedelta(days=20),
        risk_grade=3,
    )
    paper_watch.run(on_date=today, at=now)
    return merchant


def visit(
    browser: Any, server: str, user: User, path: str, shot: str, **screen: Any
) -> tuple[str, Watched]:
    """Open a page as somebody, keep a picture where pictures are asked for, return its text."""
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    context = browser.new_context(locale=user.language, **screen)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": server}])
    watched = Watched(context)
    watched.page.goto(server + path)
    watched.page.locator("main, #content, .overview").first.wait_for()
    if folder := os.environ.get("SCREENSHOTS"):
        watched.page.screenshot(path=str(Path(folder) / f"{shot}.png"), full_page=True)
    width = watched.page.evaluate("document.documentElement.scrollWidth")
    assert width <= watched.page.viewport_size["width"], shot
    assert watched.faults == [], shot
    return watched.page.content(), watched


@pytest.mark.parametrize(
    ("language", "screen", "word"),
    [
        ("zh-hans", {"viewport": DESK}, "已到期，宽限期已过"),
        ("en", {"viewport": PHONE, "color_scheme": "dark"}, "ended, grace over"),
    ],
)
def test_staff_and_merchant_see_what_ends_and_what_follows(
    browser: Any, server: str, late: Merchant, language: str, screen: dict[str, Any], word: str
) -> None:
    boss = UserFactory(is_staff=True, is_superuser=True, language=language)
    owner = portal.member(late)
    owner.language = language
    owner.save()
    for name, path in (
        ("overview", reverse("admin:index")),
        ("list", reverse("admin:merchants_paper_changelist")),
        ("merchant", reverse("admin:merchants_merchant_change", args=[late.id])),
    ):
        text, _watched = visit(browser, server, boss, path, f"{language}-{name}", **screen)
        if name == "overview":
            assert 'class="queue urgent"' in text
        else:
            assert word in text
    text, watched = visit(
        browser, server, owner, reverse("portal:papers", args=[late.id]), f"{language}-portal",
        **screen,
    )  # fmt: skip
    assert word in text
    assert "danger" in str(watched.page.locator("[data-papers]").get_attribute("class"))


@pytest.mark.parametrize(
    ("language", "screen"),
    [("zh-hans", {"viewport": DESK}), ("en", {"viewport": PHONE, "color_scheme": "dark"})],
)
def test_a_technical_merchant_sees_no_page_of_money(
    browser: Any, server: str, language: str, screen: dict[str, Any]
) -> None:
    merchant = papers.approved(contract_type="TECHNICAL", products=["qr"])
    owner = portal.member(merchant)
    owner.language = language
    owner.save()

    text, _watched = visit(
        browser, server, owner, reverse("portal:home", args=[merchant.id]), f"{language}-technical",
        **screen,
    )  # fmt: skip

    assert reverse("portal:withdrawals", args=[merchant.id]) not in text
    assert reverse("portal:api_keys", args=[merchant.id]) in text
