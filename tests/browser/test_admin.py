"""The admin as staff see it: signed in by keyboard, both languages, desk, phone and dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib import admin
from django.urls import reverse

from channels.models import Payment
from foundation import clock
from foundation.models import User
from merchants.models import Merchant
from tests.browser.conftest import Watched
from tests.factories import portal
from tests.factories.foundation import UserFactory

pytestmark = pytest.mark.browser

PASSWORD = "a long sign-in password"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}
# Names, codes and numbers of the data itself, and words that stay as they are.
_DATA = re.compile(
    r"[A-Za-z]*[_.:/@-][\w.:/@-]*|\w*\d\w*|[A-Z]{2,}|English|ID|wechat|qr|simulator|clearing|boss"
    r"|settlement|csv|system|user|payments|refunds|fees|true|false|kept|returned|Person|Merchant"
)


@pytest.fixture
def boss(cloned_db: str, tmp_path: Path) -> User:
    """Somebody of the staff, and a shop with a history to look at."""
    portal.trade(portal.shop(clock.now()), tmp_path, clock.now())
    user = UserFactory(username="boss", is_staff=True, is_superuser=True, language="zh-hans")
    user.set_password(PASSWORD)
    user.save()
    return user


def sign_in(watched: Watched, server: str) -> None:
    page = watched.page
    page.goto(f"{server}/admin/")
    page.wait_for_function("document.activeElement.name === 'username'")
    page.keyboard.type("boss")
    border = "getComputedStyle(document.querySelector('[name=password]')).borderTopWidth"
    assert page.evaluate(border) == "1px"  # what is to be filled in can be seen
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server}/admin/")


def pages() -> list[str]:
    """Return the overview, every list, one row of each, and the pages that have no list."""
    found = [reverse("admin:index"), reverse("admin:ledger_trial_balance")]
    found.append(reverse("admin:settlement_payment_trail", args=[Payment.objects.first().pk]))
    for model in sorted(admin.site._registry, key=str):
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        found.append(reverse(f"{name}_changelist"))
        row = model._default_manager.order_by("-pk").first()
        if row is not None:
            found.append(reverse(f"{name}_change", args=[row.pk]))
    return found


def english(text: str) -> list[str]:
    """Return the words of a Chinese page that are English and not data."""
    return sorted(set(re.findall(r"\b[A-Za-z]{3,}\b", _DATA.sub(" ", text))))


# The text of what can be seen, without the names of the icons' font.
_OWN_TEXT = """nodes => nodes.filter(node => node.offsetParent).map(node => {
  const copy = node.cloneNode(true);
  copy.querySelectorAll('.material-symbols-outlined').forEach(icon => icon.remove());
  return copy.classList.contains('material-symbols-outlined') ? '' : copy.textContent;
})"""


def labels(watched: Watched) -> str:
    """Return what the page itself says: menu, headings, labels, buttons; not names and values."""
    own = "h2, dt, label, button, thead th, .font-semibold"
    chosen = f"nav a span, nav h2, #content-main :is({own})"
    found = watched.page.eval_on_selector_all(chosen, _OWN_TEXT)
    return "\n".join([*found, watched.page.title()])


class TestChinese:
    def test_leaves_no_english_on_any_page(self, browser, server, boss):
        watched = Watched(browser.new_context(viewport=DESK))
        sign_in(watched, server)
        left = {}
        for path in pages():
            watched.page.goto(server + path)
            found = english(labels(watched))
            if found:
                left[path] = found

        assert left == {}
        assert watched.faults == []

    def test_greets_in_the_language_that_was_chosen_before_signing_in(self, browser, server, boss):
        watched = Watched(browser.new_context(viewport=DESK, locale="en-US"))
        watched.page.goto(f"{server}/admin/login/")
        assert "Welcome back to" in watched.page.inner_text("body")

        watched.page.click("button[lang=zh-hans]")
        watched.page.wait_for_load_state()

        assert "欢迎使用" in watched.page.inner_text("body")
        assert english(labels(watched)) == []
        assert watched.faults == []

    def test_changes_to_english_and_stays_with_the_account(self, browser, server, boss):
        watched = Watched(browser.new_context(viewport=DESK))
        sign_in(watched, server)
        form = watched.page.locator("form[action$='/language']").filter(has_text="English")
        form.evaluate("form => form.submit()")
        watched.page.wait_for_load_state()

        assert "Work overview" in watched.page.inner_text("body")
        assert User.objects.get(username="boss").language == "en"


class TestEveryScreen:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_fits_a_phone(self, browser, server, boss, scheme):
        watched = Watched(browser.new_context(viewport=PHONE, color_scheme=scheme))
        sign_in(watched, server)
        wide = []
        for path in pages() if scheme == "light" else pages()[:8]:
            watched.page.goto(server + path)
            width = watched.page.evaluate("document.documentElement.scrollWidth")
            if width > PHONE["width"]:
                wide.append((path, width))

        assert wide == []
        assert watched.faults == []


class TestLists:
    def test_are_walked_and_filtered_by_keyboard(self, browser, server, boss):
        watched = Watched(browser.new_context(viewport=DESK))
        sign_in(watched, server)
        page = watched.page
        page.goto(server + reverse("admin:channels_payment_changelist"))
        first = page.inner_text(
            "#result_list tbody tr:first-child th, #result_list th.field-payment_no"
        )
        page.focus("a[rel=next]")
        page.keyboard.press("Enter")
        page.wait_for_url("**after=*")
        second = page.inner_text("#result_list th.field-payment_no")
        assert first != second

        page.keyboard.press("/")
        number = Payment.objects.order_by("id").first().payment_no
        page.keyboard.type(number)
        page.keyboard.press("Enter")
        page.wait_for_url("**q=*")
        assert page.locator("#result_list tbody tr").count() == 1
        assert number in page.inner_text("#result_list")

    def test_say_what_to_do_when_they_are_empty(self, browser, server, boss):
        watched = Watched(browser.new_context(viewport=DESK))
        sign_in(watched, server)
        merchant = Merchant.objects.get(kind="HOUSE")
        address = reverse("admin:channels_payment_changelist")
        watched.page.goto(f"{server}{address}?merchant_no={merchant.merchant_no}")

        assert "这里还没有记录" in watched.page.inner_text("#content-main")
        assert watched.faults == []
