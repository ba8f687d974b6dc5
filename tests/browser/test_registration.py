"""A clerk registers a merchant with channels: on a desk in Chinese, on a telephone in English."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from channels.adapters.registration import Answer, Said
from channels.models import Registration
from foundation import clock
from merchants.models import Merchant
from tests.browser.test_paper import DESK, PHONE, visit
from tests.factories import paper as papers
from tests.factories import registration as given
from tests.factories.foundation import UserFactory

pytestmark = pytest.mark.browser


@pytest.fixture
def merchant(cloned_db: str) -> Merchant:
    """A merchant refused by one channel, waiting for another for long, never sent to a third."""
    now = clock.now()
    shop = papers.approved(at=now - timedelta(days=20), products=["qr", "card"])
    sent = given.submitted(shop, given.channel("wechat"), at=now - timedelta(days=9))
    given.answered(sent, Answer(Said.REFUSED, "门头照片与经营地址不一致，请补充后重新提交"), now)
    given.submitted(shop, given.channel("alipay"), at=now - timedelta(days=9), reference="AL-1")
    given.channel("unionpay", "card")
    return shop


@pytest.mark.parametrize(
    ("language", "screen", "button", "number", "approved"),
    [
        ("zh-hans", {"viewport": DESK}, "申请报备", "渠道商户号", "渠道已通过"),
        (
            "en",
            {"viewport": PHONE, "color_scheme": "dark"},
            "Ask for registration",
            "The channel's merchant number",
            "approved by the channel",
        ),
    ],
)
def test_a_clerk_asks_and_writes_down_what_a_channel_said(
    browser: Any,
    server: str,
    merchant: Merchant,
    language: str,
    screen: dict[str, Any],
    button: str,
    number: str,
    approved: str,
) -> None:
    boss = UserFactory(is_staff=True, is_superuser=True, language=language)
    row = Registration.objects.get(merchant=merchant, channel__code="alipay")
    row_page = reverse("admin:channels_registration_change", args=[row.pk])
    for name, path in (
        ("overview", reverse("admin:index")),
        ("list", reverse("admin:channels_registration_changelist")),
        ("registration", row_page),
        ("channel", reverse("admin:channels_channel_change", args=[row.channel_id])),
    ):
        visit(browser, server, boss, path, f"reg-{language}-{name}", **screen)
    _text, asking = visit(
        browser, server, boss,
        reverse("admin:channels_registration_request", args=[merchant.pk]),
        f"reg-{language}-ask", **screen,
    )  # fmt: skip
    asking.page.get_by_role("button", name=button).click()
    asking.page.wait_for_url(f"**{reverse('admin:merchants_merchant_change', args=[merchant.pk])}")
    assert Registration.objects.filter(merchant=merchant, state="REQUESTED").count() == 1

    _text, page = visit(browser, server, boss, row_page, f"reg-{language}-answer", **screen)
    page.page.get_by_label(number).fill("2088001")
    page.page.get_by_label(number).press("Enter")
    page.page.get_by_text("2088001").first.wait_for()
    row.refresh_from_db()
    assert (row.state, row.channel_merchant_no) == ("APPROVED", "2088001")
    text, _seen = visit(
        browser, server, boss,
        reverse("admin:merchants_merchant_change", args=[merchant.pk]),
        f"reg-{language}-merchant", **screen,
    )  # fmt: skip
    assert approved in text
