from datetime import date, timedelta

import pytest
from django.core.management import call_command

from foundation import clock
from settlement.models import Item
from settlement.selectors import arrival as arrivals
from tests.factories import merchant_state, payout, portal
from tests.factories import settlement as settled
from tests.factories.merchants import MerchantFactory

BACKEND = "django.contrib.auth.backends.ModelBackend"
MONDAY = date(2026, 3, 2)


@pytest.fixture
def reader(client, db):
    """A browser of a merchant's owner, in English."""
    merchant = MerchantFactory()
    client.force_login(portal.member(merchant, language="en"), BACKEND)
    client.merchant = merchant
    return client


class TestHome:
    def test_tells_a_new_merchant_that_nothing_is_there(self, reader):
        answer = reader.get(f"/portal/{reader.merchant.id}/")

        assert answer.context["positions"] == []
        assert b"No money yet" in answer.content

    def test_shows_each_kind_of_money_apart(self, reader):
        merchant = reader.merchant
        payout.fund(merchant, 100_00)
        settled.payment(merchant.id, 30_00, MONDAY)
        settled.owe(merchant.id, 7_00)
        account = payout.BankAccountFactory(merchant=merchant)
        payout.request(account, 40_00)

        (position,) = reader.get(f"/portal/{merchant.id}/").context["positions"]

        assert position.available.minor == 60_00
        assert position.held.minor == 40_00
        assert position.pending.minor == 30_00
        assert position.debt.minor == 7_00
        assert position.reserve.minor == 0

    @pytest.mark.parametrize("language", ["en", "zh-hans"])
    def test_says_why_a_merchant_is_frozen(self, reader, language):
        user = portal.member(reader.merchant, language=language)
        reader.force_login(user, BACKEND)
        merchant_state.stand(reader.merchant.id, "FROZEN")

        shown = reader.get(f"/portal/{reader.merchant.id}/").content.decode()

        words = {
            "en": ("This merchant is frozen.", "withdrawals wait"),
            "zh-hans": ("该商户已冻结。", "提现暂停"),
        }
        assert all(word in shown for word in (*words[language], "risk"))

    def test_offers_to_withdraw_only_while_money_may_leave(self, reader):
        reader.force_login(portal.member(reader.merchant, language="en"), BACKEND)
        settled.payment(reader.merchant.id, 30_00, MONDAY)
        pages = [f"/portal/{reader.merchant.id}/", f"/portal/{reader.merchant.id}/withdrawals/"]
        door = f'href="/portal/{reader.merchant.id}/withdrawals/new"'

        assert [door in reader.get(page).content.decode() for page in pages] == [True, True]
        merchant_state.stand(reader.merchant.id, "FROZEN")
        assert [door in reader.get(page).content.decode() for page in pages] == [False, False]
        home = reader.get(pages[0]).content.decode()
        assert "It cannot be withdrawn at present" in home
        assert "you can withdraw it" not in home

    def test_keeps_currencies_apart(self, reader):
        settled.payment(reader.merchant.id, 30_00, MONDAY)
        settled.payment(reader.merchant.id, 500, MONDAY, currency="JPY")

        answer = reader.get(f"/portal/{reader.merchant.id}/")

        found = {p.currency: str(p.pending) for p in answer.context["positions"]}
        assert found == {"CNY": "30.00 CNY", "JPY": "500 JPY"}

    def test_asks_as_often_for_many_days_as_for_one(self, reader, django_assert_num_queries):
        settled.payment(reader.merchant.id, 1_00, MONDAY)
        with django_assert_num_queries(10):
            reader.get(f"/portal/{reader.merchant.id}/")
        for day in range(20):
            settled.payment(reader.merchant.id, 1_00, MONDAY + timedelta(days=day))

        with django_assert_num_queries(10):
            reader.get(f"/portal/{reader.merchant.id}/")


class TestArrivals:
    def test_sum_to_the_pending_balance_by_day(self, reader):
        merchant_id = reader.merchant.id
        for day, minor in ((0, 10_00), (0, 5_00), (1, 20_00), (4, 40_00)):
            settled.payment(merchant_id, minor, MONDAY + timedelta(days=day))

        found = arrivals.upcoming(merchant_id=merchant_id, today=MONDAY)["CNY"]

        assert [(a.due_date.isoformat(), a.amount.minor, a.count, a.schedules) for a in found] == [
            ("2026-03-03", 15_00, 2, "T1"),
            ("2026-03-04", 20_00, 1, "T1"),
            ("2026-03-09", 40_00, 1, "T1"),
        ]

    def test_what_is_overdue_comes_with_the_next_settlement(self, reader):
        settled.payment(reader.merchant.id, 10_00, MONDAY)
        settled.payment(reader.merchant.id, 20_00, MONDAY + timedelta(days=1))
        later = MONDAY + timedelta(days=30)

        (found,) = arrivals.upcoming(merchant_id=reader.merchant.id, today=later)["CNY"]

        assert (found.due_date, found.amount.minor) == (later, 30_00)

    def test_far_days_are_one_row(self, reader):
        for day in range(0, 42, 7):
            for more in (0, 1, 2):
                settled.payment(reader.merchant.id, 1_00, MONDAY + timedelta(days=day + more))

        found = arrivals.upcoming(merchant_id=reader.merchant.id, today=MONDAY)["CNY"]

        assert len(found) == 10
        assert found[-1].and_later
        assert sum(arrival.amount.minor for arrival in found) == 18_00

    def test_a_negative_amount_lowers_what_arrives(self, reader):
        settled.payment(reader.merchant.id, 10_00, MONDAY)
        settled.refund_rest(reader.merchant.id, 4_00, MONDAY)

        found = arrivals.upcoming(merchant_id=reader.merchant.id, today=MONDAY)["CNY"]

        assert sum(arrival.amount.minor for arrival in found) == 6_00


class TestSettlements:
    def test_hold_every_payment_once_over_their_pages(self, cloned_db, client, tmp_path):
        shop = portal.shop(clock.now())
        shop.owner.language = "en"
        shop.owner.save()
        portal.trade(shop, tmp_path, clock.now(), days=12, per_day=14)
        client.force_login(shop.owner, BACKEND)
        item = Item.objects.filter(merchant=shop.merchant).order_by("-line_count").first()
        address, seen = f"/portal/{shop.merchant.id}/settlements/{item.id}", []

        listed = client.get(f"/portal/{shop.merchant.id}/settlements/").context["items"]
        while address:
            answer = client.get(address)
            seen += answer.context["lines"]
            more = answer.context["more"]
            address = more and f"/portal/{shop.merchant.id}/settlements/{item.id}?after={more}"

        assert item in listed
        assert len(seen) == item.line_count > 50
        assert len({line.number for line in seen}) == item.line_count
        assert sum(line.net.minor for line in seen) == item.net_minor
        paid = [line for line in seen if line.kind == "payment"]
        assert all(line.gross.minor - line.fee.minor == line.net.minor for line in paid)
        assert call_command("verify", verbosity=0) is None

    def test_say_why_one_is_held_back(self, reader):
        from tests.merchants.test_access_portal import settled_item

        item = settled_item(reader.merchant.id)
        for state, reason in (("FROZEN", ""), ("HELD_BACK", "The account is closed.")):
            Item.objects.filter(id=item.id).update(state=state, reason=reason)

        home = reader.get(f"/portal/{reader.merchant.id}/settlements/{item.id}")

        assert b"The account is closed." in home.content
