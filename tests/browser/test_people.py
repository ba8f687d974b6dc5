"""An invitation from the owner's screen to the new person's payment password, and an API key."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foundation import clock
from foundation.models import User
from foundation.services import outbox
from merchants.models import Invitation, Membership, VerificationRequest
from merchants.services import invitation as invitations
from tests.browser.conftest import Watched
from tests.browser.test_portal import DESK, PHONE
from tests.factories import portal
from tests.factories.second_factor import Telephone
from tests.factories.verification import code
from tests.servers import serving

pytestmark = pytest.mark.browser
_SCREENS = [
    {"viewport": DESK},
    {"viewport": PHONE, "has_touch": True, "is_mobile": True, "color_scheme": "dark"},
]
_NOT_CHINESE = re.compile(r"\b(?!English|TOTP|QR|API|CNY|CSV|E-mail|https?)[A-Za-z]{3,}\b")
_TEXT = """() => {
  const copy = document.querySelector('main').cloneNode(true);
  copy.querySelectorAll('[translate=no], script, code').forEach(e => e.remove());
  return document.title + ' ' + copy.textContent;
}"""


@pytest.fixture
def shop(cloned_db: str) -> portal.Shop:
    """A shop whose owner has an e-mail address."""
    made = portal.shop(portal.clock.now())
    made.owner.email = "owner@example.com"
    made.owner.save()
    return made


@pytest.fixture
def server(shop: portal.Shop, tmp_path: Path) -> Iterator[str]:
    """A server where finance must have a second step."""
    with serving(tmp_path, MFA_PORTAL_ROLES="FINANCE") as served:
        yield served.address


class Reader:
    """Somebody at a browser."""

    def __init__(self, context: Any, server: str, language: str, who: str) -> None:
        self.watched, self.server = Watched(context), server
        self.page, self.language, self.who, self.shots = self.watched.page, language, who, 0

    def sign_in(self, user: User) -> None:
        self.page.goto(f"{self.server}/portal/sign-in")
        self.page.fill("[name=username]", user.username)
        self.page.fill("[name=password]", portal.PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url("**/portal/*/")

    def proves(self) -> None:
        """Send the form, then give the payment password and the code of the e-mail."""
        self.page.click("main .btn-accent")
        self.page.wait_for_selector("[name=payment_password]")
        self.looks_right()
        self.page.fill("[name=payment_password]", portal.PAYMENT_PASSWORD)
        self.page.click("main .btn-accent")
        self.page.wait_for_selector("[name=one_time_code]")
        self.looks_right()
        request = VerificationRequest.objects.latest("id")
        self.page.fill("[name=one_time_code]", code(request, clock.now()))
        self.page.click("main .btn-accent")

    def looks_right(self) -> None:
        """No fault of the browser, nothing wider than the window, one language."""
        self.shots += 1
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            name = f"{self.who}-{self.language}-{self.page.viewport_size['width']}-{self.shots}.png"
            self.page.screenshot(path=str(Path(folder) / name), full_page=True)
        assert self.watched.faults == []
        wide = "document.documentElement.scrollWidth > window.innerWidth"
        assert not self.page.evaluate(wide), self.page.url
        said = self.page.evaluate(_TEXT)
        foreign = _NOT_CHINESE if self.language == "zh-hans" else re.compile(r"[\u4e00-\u9fff]+")
        assert foreign.findall(said) == [], self.page.url


@pytest.fixture
def reader(browser: Any, server: str) -> Iterator[Any]:
    contexts = []

    def begin(language: str, screen: dict[str, Any], who: str) -> Reader:
        locale = "zh-CN" if language == "zh-hans" else "en-GB"
        contexts.append(browser.new_context(locale=locale, **screen))
        return Reader(contexts[-1], server, language, who)

    yield begin
    for context in contexts:
        context.close()


class TestPeople:
    @pytest.mark.parametrize(
        ("language", "screen"), [("zh-hans", _SCREENS[0]), ("en", _SCREENS[1])]
    )
    def test_come_by_invitation_and_keep_keys(
        self, reader: Any, shop: portal.Shop, language: str, screen: dict[str, Any]
    ) -> None:
        shop.owner.language = language
        shop.owner.save()
        base = f"/portal/{shop.merchant.id}"
        owner = reader(language, screen, "owner")
        owner.sign_in(shop.owner)
        owner.page.goto(f"{owner.server}{base}/roles/new")
        owner.page.fill("[name=name]", "库管" if language == "zh-hans" else "Till")
        owner.page.check("[name=abilities] >> nth=1")
        owner.looks_right()
        owner.proves()
        owner.page.wait_for_selector("#roles")
        owner.page.goto(f"{owner.server}{base}/people/invite")
        owner.page.fill("[name=name]", "Eve")
        owner.page.fill("[name=email]", "eve@example.com")
        owner.page.select_option("[name=role]", "FINANCE")
        owner.looks_right()
        owner.proves()
        owner.page.wait_for_selector("#invitations")
        owner.looks_right()

        outbox.drain(inline=True)
        eve = reader(language, screen, "eve")
        token = invitations.token_of(Invitation.objects.get())
        eve.page.goto(f"{eve.server}/portal/invitations/{token}")
        eve.looks_right()
        eve.page.fill("[name=new]", "a password of eve")
        eve.page.fill("[name=again]", "a password of eve")
        eve.page.keyboard.press("Enter")
        eve.page.wait_for_selector(".qr svg")
        telephone = Telephone(eve.page.inner_text("main code").replace(" ", ""))
        eve.page.fill("[name=code]", telephone.code())
        eve.page.keyboard.press("Enter")
        eve.page.wait_for_selector(".codes")
        eve.page.click("main .btn-accent")
        eve.page.wait_for_url("**/payment-password")
        assert Membership.objects.get(user__email="eve@example.com").role == "FINANCE"

        owner.page.goto(f"{owner.server}{base}/people")
        owner.looks_right()
        owner.page.click("main tbody a >> nth=0")
        owner.page.wait_for_selector("[name=role]")
        owner.looks_right()
        owner.page.goto(f"{owner.server}{base}/api-keys")
        owner.looks_right()
        owner.page.goto(f"{owner.server}{base}/api-keys/new")
        owner.page.fill("[name=name]", "till")
        owner.page.check("[name=scopes] >> nth=0")
        owner.page.fill("[name=networks]", "203.0.113.0/24\n2001:db8::/32")
        owner.looks_right()
        owner.page.click("main .btn-accent")
        owner.page.wait_for_selector(".proofs")
        owner.looks_right()
