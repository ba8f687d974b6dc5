"""The reviewer's and the checker's whole way with Tab, Enter and Space alone, the focus seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from django.urls import reverse

from foundation.models import Approval, User
from merchants.models import Application
from merchants.services import application as applications
from tests.browser.test_application import Desk, desk, somebody
from tests.factories import application as factory

__all__ = ["desk"]  # a fixture
pytestmark = pytest.mark.browser
FARTHEST: Final = 400  # times that Tab is pressed before a thing counts as out of reach
# Something is drawn around what has the focus, or its border or shade differs from before.
_LOOK: Final = """selector => {
  const node = document.querySelector(selector), style = getComputedStyle(node);
  return [style.outlineStyle === 'none' ? '' : style.outlineWidth + style.outlineColor,
          style.boxShadow, style.borderColor, style.backgroundColor].join('|');
}"""
_HERE: Final = "selector => !!document.activeElement && document.activeElement.matches(selector)"


def reach(seat: Desk, selector: str) -> None:
    """Go to a thing by Tab, and see that it has the focus."""
    page = seat.page
    page.wait_for_selector(selector)
    before = page.evaluate(_LOOK, selector)
    for _step in range(FARTHEST):
        if page.evaluate(_HERE, selector):
            break
        page.keyboard.press("Tab")
    assert page.evaluate(_HERE, selector), f"{selector} is out of reach of Tab"
    if page.locator(selector).evaluate("node => node.tagName") != "SUMMARY":
        page.wait_for_function(f"([s, before]) => ({_LOOK})(s) !== before", arg=[selector, before])


def press(seat: Desk, selector: str, key: str) -> None:
    """Reach a button and press it; wait for the page that comes."""
    reach(seat, selector)
    with seat.page.expect_navigation():
        seat.page.keyboard.press(key)


def write(seat: Desk, selector: str, text: str) -> None:
    reach(seat, selector)
    seat.page.keyboard.type(text)
    assert seat.page.input_value(selector) == text


def past_the_menu(seat: Desk) -> None:
    """Reach the content by three keys: the menu before it has some seventy entries."""
    for key in ("Tab", "Enter", "Tab"):
        seat.page.keyboard.press(key)
    assert seat.page.evaluate("!!document.activeElement.closest('#content')")


def stands(application: Application) -> str:
    return Application.objects.get(pk=application.pk).state


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_reviewing_and_deciding_need_no_mouse(
    desk: Callable[..., Desk], cloned_db: str, language: str
) -> None:
    for role in ("operator", "reviewer", "checker"):
        somebody(role, language)
    operator = User.objects.get(username="operator")
    made = factory.submitted(operator)
    reviewer, checker = desk("reviewer", language), desk("checker", language)

    # Commented field by field, and returned.
    reviewer.open("merchants_application_change", made.pk)
    press(reviewer, "button[value=begin]", "Enter")
    write(reviewer, "[name='comment-address']", "which floor?")
    write(reviewer, "[name='comment-documents.LICENCE']", "too dark")
    press(reviewer, "button[value=return]", "Space")
    assert stands(made) == "RETURNED"

    # Passed, when it came again.
    made.refresh_from_db()
    applications.submit(
        application_id=made.pk, revision=made.revision, maker=operator, at=factory.AT
    )
    reviewer.open("merchants_application_change", made.pk)
    press(reviewer, "button[value=begin]", "Space")
    press(reviewer, "button[value=propose]", "Enter")
    approval = Approval.objects.get()

    # Found in the inbox, and decided.
    checker.open("foundation_approval_changelist")
    past_the_menu(checker)
    page = reverse("admin:foundation_approval_change", args=[approval.pk])
    press(checker, f"a[href^='{page}']", "Enter")
    press(checker, "form[action$='/step/approve/'] button", "Enter")
    assert stands(made) == "APPROVED"
    assert reviewer.watched.faults == checker.watched.faults == []
