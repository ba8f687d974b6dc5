import re

import pytest
from django.core import mail

from foundation import clock
from merchants.models import BankAccount, OneTimeCode, VerificationToken
from merchants.portal import verification
from merchants.services import one_time_code
from settlement.models import Withdrawal
from settlement.portal import withdrawal_form
from tests.factories import merchant_state, payout, portal
from tests.factories import verification as verified
from tests.factories.merchants import BankAccountFactory, MerchantFactory

BACKEND = "django.contrib.auth.backends.ModelBackend"
Status = Withdrawal.Status


@pytest.fixture
def shop(db):
    """A shop with 100.00 available; a withdrawal costs 1.00."""
    made = portal.shop(clock.now())
    payout.fund(made.merchant, 100_00)
    payout.fee(1_00)
    return made


@pytest.fixture
def reader(client, shop):
    """A browser of the shop's owner, in English."""
    shop.owner.language = "en"
    shop.owner.save()
    client.force_login(shop.owner, BACKEND)
    return client


def form_of(reader, shop) -> dict[str, str]:
    """Return a fresh form as the browser would send it."""
    answer = reader.get(f"/portal/{shop.merchant.id}/withdrawals/new")
    token = re.search(rb'name="token" value="([^"]+)"', answer.content)
    return {"token": token[1].decode(), "account": str(shop.account.uuid), "amount": "50.00"}


def send(reader, shop, given: dict[str, str], step: str = "confirm", **changes: str):
    """Send a form; the payment password goes with the second step."""
    data = {"step": step, "payment_password": portal.PAYMENT_PASSWORD, **given, **changes}
    return reader.post(f"/portal/{shop.merchant.id}/withdrawals/new", data)


def number_of(page) -> str:
    """Return the number of the verification that a page asks for."""
    found = re.search(rf'name="{verification.NUMBER}" value="(.+?)"', page.content.decode())
    return found[1]


def available(shop) -> tuple[int, int]:
    """Return what is there and what of it is held."""
    return payout.balances(shop.merchant.id)["merchant_available"]


class TestAsk:
    def test_shows_fee_total_and_masked_payee_before_the_password(self, reader, shop):
        answer = send(reader, shop, form_of(reader, shop), "ask")

        shown = re.sub(r"<[^>]+>", "", answer.content.decode())
        assert "50.00 CNY" in shown
        assert "1.00 CNY" in shown
        assert "51.00 CNY" in shown
        assert "622588******5678" in shown
        assert shop.account.number not in shown
        assert not Withdrawal.objects.exists()

    def test_reserves_amount_and_fee_by_the_payment_password(self, reader, shop):
        answer = send(reader, shop, form_of(reader, shop))

        made = Withdrawal.objects.get(merchant=shop.merchant)
        assert answer["Location"] == f"/portal/{shop.merchant.id}/withdrawals/{made.number}"
        assert (made.amount_minor, made.fee_minor, made.status) == (50_00, 1_00, Status.HELD)
        assert (made.authority, made.requested_by) == ("TOKEN", shop.owner)
        assert available(shop) == (100_00, 51_00)

    def test_sent_twice_is_one_withdrawal(self, reader, shop):
        given = form_of(reader, shop)

        first, second = send(reader, shop, given), send(reader, shop, given)

        assert first["Location"] == second["Location"]
        assert Withdrawal.objects.filter(merchant=shop.merchant).count() == 1
        assert available(shop) == (100_00, 51_00)

    def test_sent_twice_at_once_leads_both_to_the_withdrawal(self, reader, shop, monkeypatch):
        given, raced, answers = form_of(reader, shop), iter([True]), []
        given[verification.NUMBER] = number_of(send(reader, shop, given, "ask"))
        submit = verification.Step.submit

        def overtaken(step):
            if next(raced, False):  # between the look and the proof the other click gets through
                answers.append(send(reader, shop, given))
            return submit(step)

        monkeypatch.setattr(verification.Step, "submit", overtaken)
        answers.append(send(reader, shop, given))

        made = Withdrawal.objects.get(merchant=shop.merchant)
        page = f"/portal/{shop.merchant.id}/withdrawals/{made.number}"
        assert [answer.get("Location") for answer in answers] == [page, page]

    def test_sent_late_with_proofs_of_another_act_asks_anew(self, reader, shop, monkeypatch):
        monkeypatch.setattr(withdrawal_form, "TWIN_SECONDS", 0)
        given = form_of(reader, shop)
        number = number_of(send(reader, shop, given, "ask"))
        send(reader, shop, given | {verification.NUMBER: number})

        other = form_of(reader, shop) | {verification.NUMBER: number}
        answer = send(reader, shop, other)

        assert answer.status_code == 200
        assert "This verification is over" in answer.content.decode()
        assert Withdrawal.objects.count() == 1

    def test_sent_again_with_another_amount_is_refused(self, reader, shop):
        given = form_of(reader, shop)
        send(reader, shop, given)

        answer = send(reader, shop, given, amount="10.00")

        assert answer.context["form"].non_field_errors()
        assert Withdrawal.objects.filter(merchant=shop.merchant).count() == 1

    def test_counts_a_wrong_payment_password_and_takes_nothing(self, reader, shop):
        answer = send(reader, shop, form_of(reader, shop), payment_password="111222")

        assert "4" in answer.context["step"].problems[0]
        assert b"111222" not in answer.content
        assert not Withdrawal.objects.exists()
        assert not VerificationToken.objects.exists()
        assert available(shop) == (100_00, 0)

    def test_locks_after_five_wrong_payment_passwords(self, reader, shop):
        for _ in range(5):
            send(reader, shop, form_of(reader, shop), payment_password="111222")

        answer = send(reader, shop, form_of(reader, shop))

        assert answer.context["step"].problems == [
            "The payment password is locked after 5 failures."
        ]
        assert not Withdrawal.objects.exists()

    def test_says_early_what_the_balance_cannot_bear(self, reader, shop):
        answer = send(reader, shop, form_of(reader, shop), "ask", amount="99.01")

        assert "99.00 CNY" in str(answer.context["form"].errors["amount"])

    def test_says_it_in_the_second_step_too(self, reader, shop):
        answer = send(reader, shop, form_of(reader, shop), amount="99.01")

        assert "100.00 CNY" in answer.context["form"].non_field_errors()[0]
        assert not Withdrawal.objects.exists()
        assert available(shop) == (100_00, 0)

    @pytest.mark.parametrize(
        "amount", ["", "0", "0.00", "-1", "1e3", "1.001", "abc", "１", "9" * 18, "1,000", " "]
    )
    def test_refuses_what_is_no_amount(self, reader, shop, amount):
        answers = [
            send(reader, shop, form_of(reader, shop), step, amount=amount)
            for step in ("ask", "confirm")
        ]

        assert [answer.status_code for answer in answers] == [200, 200]
        assert all("amount" in answer.context["form"].errors for answer in answers)
        assert not Withdrawal.objects.exists()

    def test_says_how_to_write_what_was_copied_with_commas(self, reader, shop):
        answer = send(reader, shop, form_of(reader, shop), "ask", amount="71,094.18")

        assert "without commas" in str(answer.context["form"].errors["amount"])
        assert "71094.18" in str(answer.context["form"].errors["amount"])

    def test_pays_to_no_account_of_another_merchant(self, reader, shop):
        other = BankAccountFactory(merchant=MerchantFactory())

        answer = send(reader, shop, form_of(reader, shop), account=str(other.uuid))

        assert "account" in answer.context["form"].errors
        assert not Withdrawal.objects.exists()

    @pytest.mark.parametrize(
        "change", [{"approved_payee": False}, {"status": "DISABLED", "approved_payee": False}]
    )
    def test_offers_only_verified_and_approved_accounts(self, reader, shop, change):
        given = form_of(reader, shop)
        BankAccount.objects.filter(id=shop.account.id).update(**change)

        page = reader.get(f"/portal/{shop.merchant.id}/withdrawals/new")
        answer = send(reader, shop, given)

        assert b"There is no bank account that can be paid to" in page.content
        assert answer.status_code == 200
        assert not Withdrawal.objects.exists()

    def test_says_which_account_is_still_being_verified(self, reader, shop):
        BankAccount.objects.filter(id=shop.account.id).update(
            approved_payee=False, status="DISABLED"
        )
        BankAccountFactory(
            merchant=shop.merchant, status="UNVERIFIED", approved_payee=False, verified_at=None,
            bank_name="Lake Bank",
        )  # fmt: skip

        page = reader.get(f"/portal/{shop.merchant.id}/withdrawals/new").content.decode()

        assert "We are verifying Lake Bank" in page
        assert "please ask us" not in page

    @pytest.mark.parametrize("token", ["", "x", "WzFd:1:2"])
    def test_refuses_a_token_we_did_not_give_and_keeps_what_was_typed(self, reader, shop, token):
        answer = send(reader, shop, form_of(reader, shop), token=token)

        assert answer.context["form"].errors
        assert b'value="50.00"' in answer.content
        assert not Withdrawal.objects.exists()

    def test_refuses_the_form_of_another_person(self, reader, shop, client):
        given = form_of(reader, shop)
        client.force_login(portal.member(shop.merchant), BACKEND)

        answer = send(client, shop, given)

        assert answer.context["form"].errors
        assert not Withdrawal.objects.exists()

    def test_refuses_while_the_merchant_is_frozen(self, reader, shop):
        merchant_state.stand(shop.merchant.id, "FROZEN")

        answer = send(reader, shop, form_of(reader, shop))

        assert answer.context["form"].non_field_errors()
        assert available(shop) == (100_00, 0)


class TestACodeOnTop:
    """Above the tier: password first, then the code of our e-mail, then the withdrawal."""

    @pytest.fixture
    def first(self, reader, shop):
        """The page that asks for the password, of a withdrawal of 50.00 that needs two proofs."""
        shop.owner.email = "wang.fang@example.com"
        shop.owner.save()
        verified.rule("payment_password", "one_time_code")
        given = form_of(reader, shop)
        return given | hidden(send(reader, shop, given, "ask"))

    def test_is_sent_after_the_password_and_opens_the_withdrawal(self, reader, shop, first):
        assert mail.outbox == []
        second = send(reader, shop, first)
        assert "wa***@example.com" in second.content.decode()
        assert "payment_password" not in second.context["step"].form.fields

        answer = send(reader, shop, first | hidden(second), one_time_code=posted())

        made = Withdrawal.objects.get(merchant=shop.merchant)
        assert answer["Location"].endswith(made.number)
        assert VerificationToken.objects.get().factors == ["payment_password", "one_time_code"]

    def test_may_be_sent_again_after_a_minute(self, reader, shop, first):
        send(reader, shop, first)

        answer = reader.post(
            f"/portal/{shop.merchant.id}/withdrawals/new", first | {"send_again": "1"}
        )

        assert "wait a minute" in answer.context["step"].problems[0]
        assert not Withdrawal.objects.exists()

    def test_wrong_is_said_with_the_tries_left_and_the_password_is_not_asked_again(
        self, reader, shop, first
    ):
        send(reader, shop, first)

        answer = send(reader, shop, first, one_time_code=verified.other(posted()))

        assert "4 tries are left" in answer.context["step"].problems[0]
        assert list(answer.context["step"].form.fields) == ["one_time_code"]

    @pytest.mark.parametrize("change", [{"amount": "50.01"}, {"amount": "10.00"}])
    def test_proves_no_other_amount(self, reader, shop, first, change):
        send(reader, shop, first)

        answer = send(reader, shop, first, one_time_code=posted(), **change)

        assert "begin again" in answer.context["step"].problems[0]
        assert list(answer.context["step"].form.fields) == ["payment_password"]
        assert not Withdrawal.objects.exists()

    def test_proves_no_other_payee(self, reader, shop, first):
        other = BankAccountFactory(merchant=shop.merchant)
        send(reader, shop, first)

        answer = send(reader, shop, first, one_time_code=posted(), account=str(other.uuid))

        assert list(answer.context["step"].form.fields) == ["payment_password"]
        assert not Withdrawal.objects.exists()

    def test_is_asked_together_with_the_password_in_the_top_tier(self, reader, shop, first):
        verified.rule("payment_password", "one_time_code", together=True, currency="CNY")
        page = send(reader, shop, form_of(reader, shop), "ask")
        assert list(page.context["step"].form.fields) == ["payment_password", "one_time_code"]
        first |= hidden(page)

        wrong = send(reader, shop, first, one_time_code=posted(), payment_password="111222")
        right = send(reader, shop, first, one_time_code=posted())

        assert wrong.context["step"].problems == ["At least one of the proofs is not right."]
        assert right.status_code == 302

    def test_never_leaves_a_secret_in_a_page(self, reader, shop, first):
        pages = [send(reader, shop, first), send(reader, shop, first, one_time_code="000000")]
        said = b"".join(page.content for page in pages)

        assert posted().encode() not in said
        assert portal.PAYMENT_PASSWORD.encode() not in said


def hidden(page) -> dict[str, str]:
    """Return what the page sends back unseen."""
    return {"verification": page.context["step"].request.number}


def posted() -> str:
    """Return the code of the last letter, having the outbox send what is due."""
    code = OneTimeCode.objects.order_by("id").last()
    one_time_code.send(merchant_id=code.merchant_id, code_id=code.id, at=clock.now())
    return verified.digits(mail.outbox[-1].body)


class TestPages:
    def test_cancel_gives_the_money_back(self, reader, shop):
        detail = send(reader, shop, form_of(reader, shop))["Location"]

        answer = reader.post(f"{detail}/cancel", follow=True)

        assert Withdrawal.objects.get().status == Status.CANCELLED
        assert available(shop) == (100_00, 0)
        states = [step.to_status for step in answer.context["steps"]]
        assert states == ["CREATED", "HELD", "CANCELLED"]

    def test_cancel_of_what_is_on_its_way_says_why_not(self, reader, shop, settings):
        settings.CHANNEL_SIMULATOR = settings.CHANNEL_SIMULATOR | {"base_url": "http://127.0.0.1:9"}
        detail = send(reader, shop, form_of(reader, shop))["Location"]
        made = Withdrawal.objects.get()
        payout.payouts._prepare(made.merchant_id, made.id, clock.now())

        answer = reader.post(f"{detail}/cancel", follow=True)

        assert b"alert-danger" in answer.content
        assert Withdrawal.objects.get().status == Status.PAYING
        assert available(shop) == (100_00, 51_00)

    def test_list_shows_every_withdrawal_once_over_its_pages(self, reader, shop):
        payout.fund(shop.merchant, 1000_00)
        made = {payout.request(shop.account, 1_00).number for _ in range(53)}
        address, seen = f"/portal/{shop.merchant.id}/withdrawals/", []

        while address:
            answer = reader.get(address)
            seen += [withdrawal.number for withdrawal in answer.context["withdrawals"]]
            found = re.search(rb'rel="next" href="([^"]+)"', answer.content)
            address = found[1].decode() if found else ""

        assert len(seen) == 53
        assert set(seen) == made

    def test_list_asks_as_often_for_many_as_for_one(self, reader, shop, django_assert_num_queries):
        payout.request(shop.account, 1_00)
        with django_assert_num_queries(7):
            reader.get(f"/portal/{shop.merchant.id}/withdrawals/")
        for _ in range(5):
            payout.request(shop.account, 1_00)

        with django_assert_num_queries(7):
            reader.get(f"/portal/{shop.merchant.id}/withdrawals/")
