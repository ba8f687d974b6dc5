"""The portal as a person sees it: signs in, looks at the balance, asks for a withdrawal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foundation import clock
from settlement.models import Withdrawal
from tests.browser.conftest import Watched
from tests.factories import payout, portal

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
# What a Chinese page may say in Latin letters: currencies, file kinds, the other language's name.
_NOT_CHINESE = re.compile(r"\b(?!CNY\b|CSV\b|API\b|English\b|T\d)[A-Za-z]{2,}")


@pytest.fixture
def shop(cloned_db: str, tmp_path: Path) -> portal.Shop:
    """A shop with twelve days of trade, some of it settled."""
    made = portal.shop(clock.now())
    portal.trade(made, tmp_path, clock.now())
    return made


class Visit:
    """A person of the shop's in front of the browser."""

    def __init__(self, watched: Watched, server: str, shop: portal.Shop) -> None:
        self.watched, self.page = watched, watched.page
        self.server, self.shop = server, shop

    def sign_in(self) -> None:
        """Sign in with the keyboard alone."""
        self.page.goto(f"{self.server}/portal/")
        self.looks_right()
        self.page.fill("[name=username]", self.shop.owner.username)
        self.page.keyboard.press("Tab")
        self.page.keyboard.type(portal.PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"**/portal/{self.shop.merchant.id}/")

    def open(self, path: str) -> None:
        """Open a page of the shop."""
        self.page.goto(f"{self.server}/portal/{self.shop.merchant.id}/{path}")
        self.looks_right()

    def looks_right(self) -> None:
        """No error, no foreign request, nothing untranslated, nothing wider than the window."""
        self.page.wait_for_load_state("load")
        assert self.watched.faults == []
        width = self.page.evaluate("document.documentElement.scrollWidth")
        assert width <= self.page.viewport_size["width"], f"{self.page.url} is {width} wide"
        if self.page.evaluate("document.documentElement.lang") == "zh-Hans":
            said = self.page.evaluate(_TEXT)
            assert _NOT_CHINESE.findall(said) == [], f"{self.page.url}: {said}"

    def text(self, selector: str) -> str:
        """Return what stands there."""
        return str(self.page.inner_text(selector))


# The text of a page without what is a name or a number of somebody's own (translate="no").
_TEXT = """() => {
  const copy = document.body.cloneNode(true);
  copy.querySelectorAll('[translate=no], script').forEach(e => e.remove());
  const held = [...copy.querySelectorAll('[data-name], [aria-label], [title]')];
  const names = held.flatMap(e => [e.dataset.name, e.getAttribute('aria-label')]);
  return document.title.replace(/W[0-9-]+/, '') + ' ' + copy.textContent + ' '
    + names.filter(Boolean).join(' ');
}"""


@pytest.fixture
def visit(browser: Any, server: str, shop: portal.Shop) -> Iterator[Any]:
    """Begin a visit: language, window and colours are the caller's."""
    contexts = []

    def begin(language: str = "zh-hans", **screen: Any) -> Visit:
        shop.owner.language = language
        shop.owner.save()
        context = browser.new_context(
            **{"viewport": DESK, "locale": "zh-CN" if language == "zh-hans" else "en-GB", **screen}
        )
        contexts.append(context)
        return Visit(Watched(context), server, shop)

    yield begin
    for context in contexts:
        context.close()


class TestPortal:
    def test_pays_out_by_payment_password(self, visit, shop):
        seen = visit()
        seen.sign_in()
        seen.looks_right()
        before = payout.balances(shop.merchant.id)["merchant_available"]
        assert f"{before[0] // 100:,}.{before[0] % 100:02}" in seen.text(".figure-main")

        seen.page.click(".figure-main .btn-accent")
        seen.page.fill("[name=amount]", "120.50")
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_selector("[name=payment_password]")
        seen.looks_right()
        assert "121.50" in seen.text("main")
        seen.page.keyboard.type("999111")  # the field has the focus already
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_selector("[role=alert]")
        seen.looks_right()
        assert not Withdrawal.objects.exists()

        seen.page.fill("[name=payment_password]", portal.PAYMENT_PASSWORD)
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_selector(".timeline")
        seen.looks_right()

        made = Withdrawal.objects.get()
        assert (made.amount_minor, made.status) == (120_50, Withdrawal.Status.HELD)
        assert made.number in seen.text("h1")
        after = payout.balances(shop.merchant.id)["merchant_available"]
        assert after == (before[0], before[1] + 121_50)

    def test_sends_a_form_once_however_often_it_is_clicked(self, visit):
        seen = visit()
        seen.sign_in()
        seen.open("withdrawals/new")
        seen.page.fill("[name=amount]", "1.00")
        sent: list[str] = []
        seen.page.on("request", lambda one: sent.append(one.url) if one.method == "POST" else None)

        seen.page.evaluate(
            "() => { const form = document.querySelector('main form');"
            " for (let click = 0; click < 3; click++) form.requestSubmit(); }"
        )

        seen.page.wait_for_selector("[name=payment_password]")
        assert len(sent) == 1

    @pytest.mark.parametrize(
        "screen",
        [
            {"viewport": DESK},
            {"viewport": DESK, "color_scheme": "dark"},
            {"viewport": PHONE, "has_touch": True, "is_mobile": True},
        ],
        ids=["desk", "dark", "phone"],
    )
    def test_every_page_looks_right(self, visit, shop, screen):
        payout.request(shop.account, 10_00)
        pages = ["statement", "statement?account=pending-CNY", "settlements/", "withdrawals/"]

        for language in ("zh-hans", "en"):
            seen = visit(language, **screen)
            seen.sign_in()
            seen.looks_right()
            for path in [*pages, "withdrawals/new", "statement?since=2026-02-02&until=2026-02-01"]:
                seen.open(path)
            for path in ("settlements/", "withdrawals/"):
                seen.open(path)
                seen.page.click("tbody a >> nth=0")
                seen.looks_right()
            dark = seen.page.evaluate("document.documentElement.dataset.bsTheme")
            assert dark == ("dark" if screen.get("color_scheme") else "light")

    def test_speaks_the_language_one_clicks(self, visit):
        seen = visit()
        seen.sign_in()

        seen.page.click("text=English")
        seen.page.wait_for_selector("html[lang=en]")

        assert "Available" in seen.text(".figure-main")
        seen.page.click("text=中文")
        seen.page.wait_for_selector("html[lang=zh-Hans]")
        seen.looks_right()

    def test_answers_a_foreign_address_in_the_persons_language(self, visit, shop):
        seen = visit()
        seen.sign_in()

        answer = seen.page.goto(f"{seen.server}/portal/{shop.merchant.id + 1000}/")

        assert answer.status == 404
        assert "找不到页面" in seen.text("main")
