"""Bank accounts in the portal: from the form over the proofs to the list, masked everywhere."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from foundation import clock
from merchants.models import BankAccount, Membership, OneTimeCode
from merchants.services import one_time_code
from tests.factories.merchants import BankAccountFactory
from tests.factories.verification import PIN, digits, member, rule

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Membership:
    """An owner whose account requests need the payment password alone."""
    made = member()
    rule("payment_password", operation="bank_account.add")
    return made


class TestThePages:
    @pytest.fixture
    def browser(self, owner: Membership, client: Client) -> Client:
        owner.user.language = "en"
        owner.user.save()
        client.force_login(owner.user, "django.contrib.auth.backends.ModelBackend")
        return client

    def given(self, owner: Membership, **changed: str) -> dict[str, str]:
        return {
            "step": "ask",
            "kind": "CORPORATE",
            "number": "0200003609200012345",
            "holder": owner.merchant.name,
            "bank_name": "ICBC",
            "bank_code": "",
            "currency": "CNY",
            **changed,
        }

    def sealed(self, page: Any) -> dict[str, str]:
        found = re.search(r'name="sealed" value="([^"]+)"', page.content.decode())
        assert found is not None
        number = page.context["step"].request.number
        return {"sealed": found[1], "verification": number, "step": "confirm"}

    def test_lead_from_the_form_over_the_proofs_to_the_list(
        self, owner: Membership, browser: Client
    ) -> None:
        rule("payment_password", "one_time_code", operation="bank_account.add")
        address = f"/portal/{owner.merchant_id}/bank-accounts/"
        first = browser.post(f"{address}new", self.given(owner))
        assert "020000*********2345" in first.content.decode()
        assert "0200003609200012345" not in first.content.decode()
        back = self.sealed(first)

        second = browser.post(f"{address}new", {**back, "payment_password": PIN})
        code = OneTimeCode.objects.get()
        one_time_code.send(merchant_id=code.merchant_id, code_id=code.id, at=clock.now())
        assert "020000*********2345" in mail.outbox[0].body
        typed = {**self.sealed(second), "one_time_code": digits(str(mail.outbox[0].body))}
        third = browser.post(f"{address}new", typed)

        assert third.status_code == 302
        shown = browser.get(address).content.decode()
        assert "we are looking at it" in shown
        assert "0200003609200012345" not in shown

    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"number": "12"}, "number"),
            ({"holder": "Somebody"}, "holder"),
            ({"bank_code": "123"}, "bank_code"),
            ({"currency": "XXX"}, "currency"),
            ({"kind": "X"}, "kind"),
            ({"number": ""}, "number"),
        ],
    )
    def test_say_beside_the_field_what_is_wrong(
        self, owner: Membership, browser: Client, changed: dict[str, str], field: str
    ) -> None:
        address = f"/portal/{owner.merchant_id}/bank-accounts/new"

        answer = browser.post(address, self.given(owner, **changed))

        assert field in answer.context["form"].errors
        assert not BankAccount.objects.exists()

    @pytest.mark.parametrize("sealed", ["", "x", "test:AAAA", "\0", "nokey:abc"])
    def test_take_no_values_that_we_did_not_seal(
        self, owner: Membership, browser: Client, sealed: str
    ) -> None:
        address = f"/portal/{owner.merchant_id}/bank-accounts/new"

        answer = browser.post(address, {"step": "confirm", "sealed": sealed})

        assert answer.status_code == 302
        assert not BankAccount.objects.exists()

    def test_switch_an_account_off(self, owner: Membership, browser: Client) -> None:
        mine, foreign = BankAccountFactory(merchant=owner.merchant), BankAccountFactory()
        address = f"/portal/{owner.merchant_id}/bank-accounts/"

        assert browser.post(address, {"account": str(foreign.uuid)}).status_code == 404
        assert browser.post(address, {"account": "x"}).status_code == 404
        browser.post(address, {"account": str(mine.uuid)})

        assert {one.status for one in BankAccount.objects.filter(id=mine.id)} == {"DISABLED"}
        foreign.refresh_from_db()
        assert foreign.status == "VERIFIED"

    def test_ask_as_often_for_many_as_for_one(
        self, owner: Membership, browser: Client, django_assert_num_queries: Any
    ) -> None:
        address = f"/portal/{owner.merchant_id}/bank-accounts/"
        BankAccountFactory(merchant=owner.merchant)
        with django_assert_num_queries(8):  # two of them ask what the contract opens
            browser.get(address)
        for _ in range(5):
            BankAccountFactory(merchant=owner.merchant)
        with django_assert_num_queries(8):
            browser.get(address)
