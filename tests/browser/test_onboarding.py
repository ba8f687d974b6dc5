"""One walk through all doors: form, review, approval, invitation, two steps, money, withdrawal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core import mail

from foundation import clock
from foundation.models import Approval
from foundation.services import outbox
from merchants.models import Application, BankAccount, Membership, Merchant, VerificationRequest
from settlement.models import Withdrawal
from tests.browser.test_application import Desk, approved, entered, returned_and_completed, somebody
from tests.browser.test_people import Reader
from tests.browser.test_portal import DESK, PHONE
from tests.factories import payout, portal
from tests.factories.second_factor import Telephone
from tests.factories.verification import code
from tests.servers import serving

pytestmark = pytest.mark.browser

SCREENS: dict[str, dict[str, Any]] = {
    "zh-hans": {"viewport": DESK, "locale": "zh-CN"},
    "en": {"viewport": PHONE, "has_touch": True, "is_mobile": True, "locale": "en-GB"},
}


@pytest.fixture
def server(cloned_db: str, tmp_path: Path) -> Iterator[str]:
    """A server where owners must have a second step, and a new account need not wait a day."""
    with serving(tmp_path, MFA_PORTAL_ROLES="OWNER", BANK_ACCOUNT_COOLING_HOURS="0") as served:
        yield served.address


@pytest.mark.parametrize("language", SCREENS)
def test_from_the_form_to_the_first_withdrawal(
    browser: Any, server: str, cloned_db: str, tmp_path: Path, language: str
) -> None:
    for role in ("operator", "reviewer", "checker"):
        somebody(role, language)
    operator, reviewer, checker = (
        Desk(browser, server, role, language) for role in ("operator", "reviewer", "checker")
    )
    application = entered(operator, tmp_path)
    returned_and_completed(operator, reviewer, application)
    approved(reviewer, checker, application)
    merchant = Merchant.objects.get(kind="MERCHANT")

    owner = Reader(browser.new_context(**SCREENS[language]), server, language, "onboarded")
    comes_in(owner, application)
    sets_the_payment_password(owner)
    account_is_verified(operator, checker, merchant)
    made = portal.Shop(merchant, Membership.objects.get(merchant=merchant).user,
                       BankAccount.objects.get(merchant=merchant))  # fmt: skip
    portal.trade(made, tmp_path, clock.now())
    withdraws(owner, made)

    for desk in (operator, reviewer, checker):
        assert desk.watched.faults == []
        desk.page.context.close()
    owner.page.context.close()


def comes_in(owner: Reader, application: Application) -> None:
    """Follow the letter's link, choose a sign-in password, and make the second step."""
    mail.outbox.clear()
    outbox.drain(inline=True)
    letter = next(str(each.body) for each in mail.outbox if "/invitations/" in str(each.body))
    found = re.search(r"/portal/invitations/\S+", letter)
    assert found is not None
    owner.page.goto(owner.server + found[0])
    owner.looks_right()
    owner.page.fill("[name=new]", portal.PASSWORD)
    owner.page.fill("[name=again]", portal.PASSWORD)
    owner.page.keyboard.press("Enter")
    owner.page.wait_for_selector(".qr svg")
    owner.looks_right()
    telephone = Telephone(owner.page.inner_text("main code").replace(" ", ""))
    owner.page.fill("[name=code]", telephone.code())
    owner.page.keyboard.press("Enter")
    owner.page.wait_for_selector(".codes")
    owner.looks_right()
    owner.page.click("main .btn-accent")
    owner.page.wait_for_url("**/payment-password")


def sets_the_payment_password(owner: Reader) -> None:
    """A weak one is refused beside its field; a good one needs the code of an e-mail."""
    for given in ("123456", portal.PAYMENT_PASSWORD):
        owner.page.fill("[name=sign_in_password]", portal.PASSWORD)
        owner.page.fill("[name=new]", given)
        owner.page.fill("[name=again]", given)
        owner.page.keyboard.press("Enter")
        if given == "123456":
            owner.page.wait_for_selector("[aria-invalid=true]")
            owner.looks_right()
    owner.page.wait_for_selector("[name=one_time_code]")
    owner.looks_right()
    request = VerificationRequest.objects.latest("id")
    owner.page.fill("[name=one_time_code]", code(request, clock.now()))
    owner.page.keyboard.press("Enter")
    owner.page.wait_for_selector(".figure-main")
    assert owner.watched.faults == []


def account_is_verified(operator: Desk, checker: Desk, merchant: Merchant) -> None:
    """One proposes the account as payee, another approves what he is shown."""
    account = BankAccount.objects.get(merchant=merchant)
    operator.open("merchants_bankaccount_change", account.pk)
    operator.page.fill("form[action$='/step/propose/'] [name=reason]", "印鉴相符 papers seen")
    operator.press("form[action$='/step/propose/'] button")
    checker.open("foundation_approval_change", Approval.objects.latest("id").pk)
    checker.seen("8-account")
    checker.fits()
    checker.press("form[action$='/step/approve/'] button")
    account.refresh_from_db()
    assert (account.status, account.approved_payee) == ("VERIFIED", True)


def withdraws(owner: Reader, made: portal.Shop) -> None:
    """Ask for money: a wrong payment password moves none, the right one holds it."""
    before = payout.balances(made.merchant.id)["merchant_available"]
    owner.page.goto(f"{owner.server}/portal/{made.merchant.id}/")
    owner.page.click(".figure-main .btn-accent")
    owner.page.fill("[name=amount]", "120.50")
    owner.page.keyboard.press("Enter")
    owner.page.wait_for_selector("[name=payment_password]")
    owner.looks_right()
    owner.page.fill("[name=payment_password]", "999111")
    owner.page.keyboard.press("Enter")
    owner.page.wait_for_selector("[role=alert]")
    owner.looks_right()
    assert not Withdrawal.objects.exists()
    owner.page.fill("[name=payment_password]", portal.PAYMENT_PASSWORD)
    owner.page.keyboard.press("Enter")
    owner.page.wait_for_selector(".timeline")
    owner.looks_right()
    request = Withdrawal.objects.get()
    assert (request.amount_minor, request.status) == (120_50, Withdrawal.Status.HELD)
    after = payout.balances(made.merchant.id)["merchant_available"]
    assert after == (before[0], before[1] + 121_50)
