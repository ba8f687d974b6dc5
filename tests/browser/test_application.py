"""A merchant is taken on in the browser: form, papers, first review, return, approval, accounts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from foundation.models import Approval, User
from ledger.models import Account
from merchants.models import Application, BankAccount, Merchant
from tests.browser.conftest import Watched
from tests.factories import application as factory
from tests.factories.foundation import UserFactory

pytestmark = pytest.mark.browser

PASSWORD = "a long sign-in password"
DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


def somebody(role: str, language: str) -> User:
    user: User = UserFactory(username=role, is_staff=True, language=language)
    user.groups.set(Group.objects.filter(name=role))
    user.set_password(PASSWORD)
    user.save()
    return user


class Desk:
    """Somebody of the staff in front of the browser, whose clicks are counted."""

    def __init__(self, browser: Any, server: str, name: str, language: str, **screen: Any) -> None:
        self.watched = Watched(browser.new_context(viewport=DESK, locale=language, **screen))
        self.page, self.server, self.clicks = self.watched.page, server, 0
        self.language = language
        self.page.goto(f"{server}/admin/")
        self.page.fill("[name=username]", name)
        self.page.fill("[name=password]", PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{server}/admin/")

    def open(self, name: str, *keys: Any) -> None:
        self.page.goto(self.server + reverse(f"admin:{name}", args=keys))

    def click(self, selector: str) -> None:
        """Click, and wait for the page that comes."""
        self.clicks += 1
        with self.page.expect_navigation():
            self.page.click(selector)

    def press(self, selector: str) -> None:
        """The same by keyboard alone."""
        self.clicks += 1
        self.page.focus(selector)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def seen(self, name: str) -> None:
        """Leave a picture where pictures are asked for."""
        if folder := os.environ.get("SCREENSHOTS"):
            self.page.screenshot(
                path=str(Path(folder) / f"{self.language}-{name}.png"), full_page=True
            )

    def fits(self) -> None:
        width = self.page.evaluate("document.documentElement.scrollWidth")
        assert width <= self.page.viewport_size["width"]
        assert self.watched.faults == []


@pytest.fixture
def desk(browser: Any, server: str) -> Callable[..., Desk]:
    return lambda name, language, **screen: Desk(browser, server, name, language, **screen)


def fill(desk: Desk, tmp_path: Path) -> None:
    """Type the data in, as somebody would who has it on paper."""
    page = desk.page
    for name, value in factory.PROFILE.items():
        if name in ("industry_id", "contract_type", "account_kind") or name.endswith("_whom"):
            page.select_option(f"[name=profile-{name.removesuffix('_id')}]", value)
        elif name == "loss_borne_by":
            page.select_option(f"[name=profile-{name}]", value)
        elif name == "products":
            for code in value:
                page.check(f"[name=profile-products][value={code}]")
        else:
            page.fill(f"[name=profile-{name}]", str(value))
    for part, row in (
        ("owners", factory.OWNER),
        ("contacts", factory.CONTACT),
        ("sites", factory.SITE),
    ):
        for name, value in row.items():
            field = f"[name={part}-1-{name}]"
            if name in ("line_no", "through_no"):
                continue
            if value is True:
                page.check(field)
            elif name in ("kind", "role", "identity_kind", "source_of_funds"):
                page.select_option(field, value)
            else:
                page.fill(field, str(value))
    for number, kind in enumerate(factory.PAPERS):
        picture = tmp_path / f"{kind}.png"
        picture.write_bytes(factory.picture(size=(640, 400 + number)))
        page.set_input_files(f"[name=document-{kind}]", picture)


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_a_merchant_is_taken_on_by_three_people(
    desk: Callable[..., Desk], cloned_db: str, tmp_path: Path, language: str
) -> None:
    for role in ("operator", "reviewer", "checker"):
        somebody(role, language)
    operator, reviewer = desk("operator", language), desk("reviewer", language)
    checker = desk("checker", language)

    application = entered(operator, tmp_path)
    returned_and_completed(operator, reviewer, application)
    approved(reviewer, checker, application)

    application.refresh_from_db()
    merchant = Merchant.objects.get(kind="MERCHANT")
    assert (application.state, application.became) == ("APPROVED", merchant)
    assert merchant.status == "ACTIVE"
    assert Account.objects.filter(merchant=merchant).count() == 2
    assert BankAccount.objects.get(merchant=merchant).status == "UNVERIFIED"
    # With one return; without it five: submit, begin, pass, approve and the draft itself.
    assert operator.clicks + reviewer.clicks + checker.clicks == 7
    for each in (operator, reviewer, checker):
        assert each.watched.faults == []
        if language == "zh-hans":
            labels = each.page.eval_on_selector_all(
                "#content-main label, main label, main h2, main legend, main button",
                "nodes => nodes.map(node => node.textContent).join(' ')",
            )
            assert not re.findall(r"\b(?!ICP|PDF|SHA|CNAPS|English)[A-Za-z]{4,}\b", labels)


def entered(operator: Desk, tmp_path: Path) -> Application:
    """Type everything in, one number wrongly at first, and submit it."""
    operator.open("merchants_application_changelist")
    operator.press("form[action$='/begin'] button")
    application = Application.objects.get()
    operator.seen("1-empty")
    operator.page.fill("[name=profile-registration_no]", "911100006000373410")
    operator.page.fill("[name=profile-name]", "x")
    signed_out_and_in(operator)
    operator.press("[name=save]")
    operator.page.wait_for_function(  # the focus is on what is wrong
        "document.activeElement.name === 'profile-registration_no'"
    )
    assert operator.page.locator("[id='at-registration_no'] .problem").count() == 1
    operator.fits()
    fill(operator, tmp_path)
    operator.clicks = 0
    operator.press("[name=submit]")  # the first click after the data is in
    operator.seen("2-submitted")
    application.refresh_from_db()
    assert application.state == "SUBMITTED", operator.page.inner_text("#content-main, main")
    return application


def signed_out_and_in(operator: Desk) -> None:
    """A session that ends while the form is open takes nothing of it along."""
    page = operator.page
    page.context.clear_cookies(name="sessionid")
    page.click("[name=save]")
    page.wait_for_selector("[data-signed-out]", state="visible")
    operator.seen("1-signed-out")
    assert page.input_value("[name=profile-name]") == "x"
    with page.context.expect_page() as opened:
        page.keyboard.press("Enter")  # the link has the focus
    other = opened.value
    other.fill("[name=username]", "operator")
    other.fill("[name=password]", PASSWORD)
    other.keyboard.press("Enter")
    other.wait_for_url("**/admin/")
    other.close()


def returned_and_completed(operator: Desk, reviewer: Desk, application: Application) -> None:
    """The reviewer comments on two fields; the operator sees them there and answers."""
    reviewer.open("merchants_application_change", application.pk)
    reviewer.click("button[value=begin]")
    reviewer.page.fill("[name='comment-address']", "which floor?")
    reviewer.page.fill("[name='comment-documents.LICENCE']", "too dark")
    reviewer.page.keyboard.press("Enter")  # decides nothing
    reviewer.seen("3-review")
    reviewer.fits()
    reviewer.press("button[value=return]")

    operator.open("application_form", application.pk)
    assert "which floor?" in operator.page.inner_text("[id='at-address']")
    assert "too dark" in operator.page.inner_text("[id='at-documents.LICENCE']")
    operator.seen("4-returned")
    operator.page.fill("[name=profile-address]", "龙井路 1 号 3 楼")
    papers = operator.page.locator(".paper").count()
    operator.press("[name=profile-address]")  # Enter in a field saves, and takes no paper off
    assert operator.page.locator(".paper").count() == papers == len(factory.PAPERS)
    operator.clicks -= 1
    operator.press("[name=submit]")


def approved(reviewer: Desk, checker: Desk, application: Application) -> None:
    """The reviewer passes it, seeing what changed; another person approves."""
    reviewer.open("merchants_application_change", application.pk)
    reviewer.click("button[value=begin]")
    assert reviewer.page.locator("[id='at-address'].changed").count() == 1
    reviewer.click("button[value=propose]")
    reviewer.seen("5-passed")

    checker.open("foundation_approval_change", Approval.objects.get().pk)
    assert checker.page.locator(".related a").count() == 1
    checker.seen("6-approval")
    checker.press("form[action$='/step/approve/'] button")
    reviewer.open("merchants_application_change", application.pk)
    reviewer.seen("7-approved")


def test_the_pages_fit_a_phone_and_the_dark(
    desk: Callable[..., Desk], cloned_db: str, tmp_path: Path
) -> None:
    for role in ("operator", "reviewer"):
        somebody(role, "zh-hans")
    operator = User.objects.get(username="operator")
    draft, whole = factory.draft(operator), factory.submitted(operator)
    for scheme in ("light", "dark"):
        for role, name, key in (
            ("operator", "application_form", draft.pk),
            ("reviewer", "merchants_application_change", whole.pk),
            ("reviewer", "merchants_application_changelist", None),
        ):
            seat = desk(role, "zh-hans", color_scheme=scheme)
            seat.page.set_viewport_size(PHONE)
            seat.open(name, *([key] if key else []))
            seat.seen(f"phone-{scheme}-{name}")
            seat.fits()
