"""Two steps of signing in, in a real browser: an app, recovery codes, a passkey."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator

from foundation.models import SecondFactorGuard, SignIn, User
from tests.browser.conftest import Watched
from tests.browser.test_portal import DESK, PHONE
from tests.factories import portal
from tests.factories.merchants import MerchantFactory
from tests.factories.second_factor import Telephone
from tests.servers import serving

pytestmark = pytest.mark.browser
_SCREENS = [
    {"viewport": DESK},
    {"viewport": PHONE, "has_touch": True, "is_mobile": True, "color_scheme": "dark"},
]
# What may stand in Latin letters on a Chinese page: names of things, not sentences.
_NOT_CHINESE = re.compile(
    r"\b(?!English|TOTP|Chrome|Linux|Windows|Android|user\d*|PIN|https|localhost)[A-Za-z]{3,}\b"
)


@pytest.fixture
def owner(cloned_db: str) -> User:
    """An owner who has no second step yet."""
    merchant = MerchantFactory.create(name="杭州湖畔茶业有限公司")
    return portal.member(merchant)


@pytest.fixture
def strict_server(owner: User, tmp_path: Path) -> Iterator[str]:
    """A server where an owner must have a second step, by the name that passkeys take."""
    with serving(tmp_path, MFA_PORTAL_ROLES="OWNER") as served:
        yield f"http://localhost:{served.port}"


class Visit:
    """A person before the account's pages."""

    def __init__(self, context: Any, server: str, owner: User) -> None:
        self.watched, self.server, self.owner = Watched(context), server, owner
        self.page, self.shots = self.watched.page, 0
        cdp = context.new_cdp_session(self.page)
        cdp.send("WebAuthn.enable")
        key = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True}
        always = {"hasUserVerification": True, "isUserVerified": True}
        cdp.send(
            "WebAuthn.addVirtualAuthenticator",
            {"options": {**key, **always, "automaticPresenceSimulation": True}},
        )

    def give_password(self) -> None:
        self.page.goto(f"{self.server}/portal/sign-in")
        self.page.fill("[name=username]", self.owner.username)
        self.page.fill("[name=password]", portal.PASSWORD)
        self.page.keyboard.press("Enter")

    def looks_right(self) -> None:
        """No fault of the browser, nothing wider than the window, one language."""
        self.shots += 1
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            name = f"account-{self.owner.language}-{self.shots}.png"
            self.page.screenshot(path=str(Path(folder) / name), full_page=True)
        assert [fault for fault in self.watched.faults if "localhost" not in fault] == []
        wide = "document.documentElement.scrollWidth > window.innerWidth"
        assert not self.page.evaluate(wide)
        text = self.page.inner_text("main")
        if self.owner.language == "zh-hans":
            for code in self.page.query_selector_all("main code, main [translate=no]"):
                text = text.replace(code.inner_text(), "")
            assert _NOT_CHINESE.findall(text) == []
        else:
            assert re.findall(r"[\u4e00-\u9fff]+", text) == []


@pytest.fixture
def visit(browser: Any, strict_server: str, owner: User) -> Iterator[Any]:
    """Begin a visit in a language, on a screen."""
    contexts = []

    def begin(language: str, screen: dict[str, Any]) -> Visit:
        owner.language = language
        owner.save()
        locale = "zh-CN" if language == "zh-hans" else "en-GB"
        contexts.append(browser.new_context(locale=locale, **screen))
        return Visit(contexts[-1], strict_server, owner)

    yield begin
    for context in contexts:
        context.close()


class TestTwoSteps:
    @pytest.mark.parametrize("language", ["zh-hans", "en"])
    @pytest.mark.parametrize("screen", _SCREENS, ids=["desk", "phone in the dark"])
    def test_are_made_at_the_first_sign_in_and_asked_for_at_the_next(
        self, visit: Any, owner: User, language: str, screen: dict[str, Any]
    ) -> None:
        seen = visit(language, screen)
        seen.give_password()
        seen.page.wait_for_selector(".qr svg")
        seen.looks_right()
        seen.page.goto(f"{seen.server}/portal/")
        assert "/sign-in" in seen.page.url  # nothing else is open
        seen.give_password()
        seen.page.wait_for_selector(".qr svg")
        telephone = Telephone(seen.page.inner_text("main code").replace(" ", ""))
        seen.page.keyboard.type(telephone.wrong())  # the field has the focus
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_selector("[role=alert]")
        seen.looks_right()
        seen.page.fill("[name=code]", telephone.code())
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_selector(".codes")
        seen.looks_right()
        codes = [row.inner_text() for row in seen.page.query_selector_all(".codes li")]
        assert len(codes) == 10

        seen.page.goto(f"{seen.server}/account/passkey")
        seen.page.fill("[name=name]", "钥匙" if language == "zh-hans" else "key")
        seen.looks_right()
        seen.page.click("[data-passkey=create]")
        seen.page.wait_for_selector("#sessions")
        seen.looks_right()
        assert Authenticator.objects.filter(user=owner, type="webauthn").count() == 1

        seen.page.click("header form[action$='sign-out'] button")
        seen.give_password()
        seen.page.wait_for_selector("[data-passkey=get]")
        seen.looks_right()
        seen.page.click("[data-passkey=get]")
        seen.page.wait_for_url("**/portal/*/")
        assert SignIn.objects.filter(user=owner).latest("id").factor == "webauthn"

        seen.page.click("header form[action$='sign-out'] button")
        seen.give_password()
        seen.page.fill("[name=code]", codes[3])
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_url("**/portal/*/")
        assert SignIn.objects.filter(user=owner).latest("id").factor == "recovery_codes"
        assert SecondFactorGuard.objects.get(user=owner).failed_count == 0
