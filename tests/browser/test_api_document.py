"""The page of the API's document: our own files only, in both languages, on a phone too."""

from __future__ import annotations

from typing import Any

import pytest

from foundation import clock
from merchants.services import api_key as api_keys
from tests.api.caller import routes
from tests.browser.conftest import Watched
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.browser

SCREENS = {
    "desk": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}


def fits(page: Any) -> bool:
    width: int = page.evaluate("document.documentElement.scrollWidth")
    return width <= int(page.viewport_size["width"])


@pytest.mark.parametrize("screen", SCREENS)
def test_shows_every_operation_in_both_languages(browser: Any, server: str, screen: str) -> None:
    context = browser.new_context(locale="zh-CN", **SCREENS[screen])
    watched = Watched(context)
    page = watched.page

    page.goto(f"{server}/api/docs/")
    page.locator("#document", has_text="返回密钥").wait_for()
    page.click("header button")
    page.wait_for_selector("html[lang=en]")
    page.locator("#document", has_text="Return the key").wait_for()
    page.click("#operations-withdrawals-withdrawal_request .opblock-summary-control")
    # The body stands before its example: what says it is filled in is the example itself.
    example = page.locator("#operations-withdrawals-withdrawal_request", has_text="2026-000001")
    example.wait_for()

    assert example.count() == 1
    assert page.locator(".opblock").count() == sum(
        len(view.required_scopes) for _p, view in routes()
    )
    assert fits(page)
    assert watched.faults == []
    context.close()


def test_tries_a_call_with_a_key(browser: Any, server: str) -> None:
    merchant = MerchantFactory(name="杭州湖畔茶业有限公司")
    token = api_keys.create(
        merchant=merchant, name="docs", scopes=["balances:read"], at=clock.now()
    ).token
    context = browser.new_context(locale="en-GB", **SCREENS["desk"])
    watched = Watched(context)
    page = watched.page

    page.goto(f"{server}/api/docs/")
    page.click(".btn.authorize")
    page.fill(".auth-container input", token)
    page.click(".auth-btn-wrapper .authorize")
    page.click(".auth-btn-wrapper .btn-done")
    page.click("#operations-me-me .opblock-summary-control")
    page.click("#operations-me-me .try-out__btn")
    page.click("#operations-me-me .execute")
    answer = page.locator("#operations-me-me .live-responses-table", has_text=merchant.name)
    answer.wait_for()

    assert answer.count() == 1
    assert watched.faults == []
    context.close()
