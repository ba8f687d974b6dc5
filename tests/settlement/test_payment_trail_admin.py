"""The page of one payment's way, and the steps of payouts in the admin."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from channels.models import Payment, Refund
from foundation import clock
from foundation.models import Approval
from ledger.models import PostingLine
from settlement.models import Item, Line, PayoutCase, Run
from settlement.services import payout_case
from tests.factories import payout, portal
from tests.factories.foundation import UserFactory


def staff(**fields) -> Client:
    client = Client()
    client.force_login(UserFactory(is_staff=True, language="en", **fields))
    return client


class TestTheWayOfAPayment:
    @pytest.fixture
    def shop(self, cloned_db, tmp_path) -> portal.Shop:
        made = portal.shop(clock.now())
        portal.trade(made, tmp_path, clock.now())
        return made

    def test_shows_every_station_it_has_reached(self, shop):
        settled = Line.objects.filter(source_kind="payment").order_by("source_id").first()
        payment = Payment.objects.get(id=settled.source_id)
        address = reverse("admin:settlement_payment_trail", args=[payment.id])

        with CaptureQueriesContext(connection) as asked:
            page = staff(is_superuser=True).get(address).content.decode()

        assert payment.payment_no in page
        assert "0.6%" in page
        assert "clearing" in page
        assert str(settled.item) in page
        assert "The money is on the merchant" in page
        assert reverse("admin:settlement_item_change", args=[settled.item_id]) in page
        assert "Not yet" in page  # nobody has withdrawn
        assert len(asked) < 40

    def test_says_what_has_not_happened_yet(self, shop):
        settled = Line.objects.filter(source_kind="payment").values("source_id")
        payment = Payment.objects.exclude(id__in=settled).order_by("-id").first()
        page = staff(is_superuser=True).get(
            reverse("admin:settlement_payment_trail", args=[payment.id])
        )

        stations = {one.title: bool(one.facts) for one in page.context["stations"]}
        assert stations["Priced"]
        assert not stations["Settled"]
        assert not stations["Withdrawal"]

    def test_shows_its_refund_and_where_that_came_from(self, shop):
        refunded = Payment.objects.filter(refunds__isnull=False).first()
        page = staff(is_superuser=True).get(
            reverse("admin:settlement_payment_trail", args=[refunded.id])
        )

        station = next(one for one in page.context["stations"] if one.title == "Refunded")
        assert "8.80 CNY" in [fact.value for fact in station.facts]

    def test_leads_back_from_the_item_the_posting_and_the_entry(self, shop):
        line = Line.objects.filter(source_kind="payment").order_by("source_id").first()
        payment = Payment.objects.get(id=line.source_id)
        way = reverse("admin:settlement_payment_trail", args=[payment.id])
        booked = PostingLine.objects.get(fact_kind="payment", fact_id=payment.id)
        item = reverse("admin:settlement_item_change", args=[line.item_id])
        client = staff(is_superuser=True)

        for address in (
            item,
            reverse("admin:ledger_posting_change", args=[booked.posting_id]),
            reverse("admin:ledger_postingline_change", args=[booked.id]),
            reverse("admin:settlement_line_change", args=[line.pk]),
        ):
            assert f'href="{way}"' in client.get(address).content.decode(), address
        for row in (line.item.entry, line.item.hold):
            names = row._meta
            address = reverse(f"admin:{names.app_label}_{names.model_name}_change", args=[row.pk])
            assert f'href="{item}"' in client.get(address).content.decode()

    def test_is_found_by_its_number_and_its_order(self, shop):
        payment = Payment.objects.order_by("id").first()
        way = reverse("admin:settlement_payment_trail", args=[payment.id])
        find = reverse("admin:find")

        for text in (payment.payment_no, payment.order_no):
            hits = staff(is_superuser=True).get(find, {"q": text}).context["hits"]
            assert [hit.url for hit in hits] == [way]
        for text in (str(Item.objects.first().number), shop.merchant.merchant_no[:3]):
            assert staff(is_superuser=True).get(find, {"q": text}).context["hits"]
        assert staff().get(find, {"q": payment.payment_no}).context["hits"] == []
        for text in ("nothing", "\0", "x" * 500, "S9999999-20260230-1-CNY"):
            page = staff(is_superuser=True).get(find, {"q": text})
            assert (page.status_code, page.context["hits"]) == (200, [])

    def test_names_the_refund_s_settlement(self, shop):
        line = Line.objects.filter(source_kind="refund").first()
        refund = Refund.objects.get(id=line.source_id)
        page = staff(is_superuser=True).get(
            reverse("admin:settlement_payment_trail", args=[refund.payment_id])
        )

        station = next(one for one in page.context["stations"] if one.title == "Refunded")
        assert line.item.number in [fact.value for fact in station.facts]

    def test_is_shut_without_the_right_and_empty_without_the_payment(self, shop):
        payment = Payment.objects.first()
        address = reverse("admin:settlement_payment_trail", args=[payment.id])

        assert staff().get(address).status_code == 403
        missing = reverse("admin:settlement_payment_trail", args=[10**9])
        assert staff(is_superuser=True).get(missing).status_code == 404

    def test_overview_tells_the_latest_run(self, shop):
        page = staff(is_superuser=True).get(reverse("admin:index"))
        panel = next(one for one in page.context["panels"] if one.title == "Latest settlement")
        latest = Run.objects.order_by("-run_date").first()
        net = sum(Item.objects.filter(run_date=latest.run_date).values_list("net_minor", flat=True))

        assert f"{net / 100:,.2f} CNY" in [figure.value for figure in panel.figures]

    def test_trial_balance_is_in_balance_and_refuses_a_bad_date(self, shop):
        client = staff(is_superuser=True)
        good = client.get(reverse("admin:ledger_trial_balance")).content.decode()
        bad = client.get(reverse("admin:ledger_trial_balance"), {"up_to": "yesterday"})

        assert "in balance" in good
        assert "NOT in balance" not in good
        assert bad.status_code == 200
        assert "is not a date" in bad.content.decode()


class TestStepsOfPayouts:
    @pytest.fixture(autouse=True)
    def nobody_listens(self, settings):
        settings.CHANNEL_SIMULATOR = dict(settings.CHANNEL_SIMULATOR)
        payout.address()

    def test_an_unknown_result_is_proposed_not_decided(self, db):
        payout.fee()
        attempt = payout.attempt("UNKNOWN")
        address = reverse("admin:settlement_payoutattempt_step", args=[attempt.pk, "paid"])
        client = staff(is_superuser=True)

        without = client.post(address, {"reason": "bank says so"}, follow=True).content.decode()
        assert "Please say why." in without
        assert Approval.objects.count() == 0
        client.post(address, {"reason": "bank says so", "paper": "statement 7"})

        assert payout.fresh(attempt).status == "UNKNOWN"
        proposal = Approval.objects.get()
        assert proposal.after["evidence"] == "statement 7"
        assert proposal.after["status"] == "SUCCEEDED"

    def test_the_refusal_of_a_service_is_told(self, db):
        attempt = payout.attempt("SUCCEEDED")
        address = reverse("admin:settlement_payoutattempt_step", args=[attempt.pk, "failed"])
        sent = {"reason": "no", "paper": "none"}
        said = staff(is_superuser=True).post(address, sent, follow=True).content.decode()

        assert "cannot be decided to be" in said
        assert Approval.objects.count() == 0

    def test_unknown_payouts_are_on_the_overview_with_their_money(self, db):
        payout.attempt("UNKNOWN")
        page = staff(is_superuser=True).get(reverse("admin:index"))
        queue = next(one for one in page.context["work"] if "no known result" in one.title)

        assert (queue.count, queue.money) == ("1", ("50.00 CNY",))

    @pytest.mark.parametrize("status", ["READY", "SENDING"])
    def test_what_is_not_sent_for_half_an_hour_is_on_the_overview(self, db, status):
        late = payout.attempt(status)  # at NOON of the factory, months ago
        payout.attempt("UNKNOWN")
        client = staff(is_superuser=True)
        page = client.get(reverse("admin:index"))

        queue = next(one for one in page.context["work"] if "not sent" in one.title)

        assert (queue.count, queue.money) == ("1", ("50.00 CNY",))
        listed = client.get(queue.url).context["cl"].result_list
        assert [row.pk for row in listed] == [late.withdrawal_id]

    def test_what_is_held_and_not_sent_is_on_the_overview_when_it_is_late_only(self, db):
        late = payout.request(payout.payee())
        payout.request(payout.payee(), at=clock.now())

        page = staff(is_superuser=True).get(reverse("admin:index"))

        queue = next(one for one in page.context["work"] if "not sent" in one.title)
        assert queue.count == "1"
        assert queue.oldest_at == late.requested_at

    def test_are_found_by_their_number_which_carries_the_merchant(self, db):
        attempt = payout.attempt("UNKNOWN")
        payout.attempt("UNKNOWN")
        client = staff(is_superuser=True)
        for name, number in (
            ("payoutattempt", attempt.number),
            ("withdrawal", attempt.withdrawal.number),
        ):
            address = reverse(f"admin:settlement_{name}_changelist")
            found = client.get(address, {"q": number}).context["cl"].result_list
            assert [row.number for row in found] == [number]
            other = client.get(address, {"q": "order-1"}).context["cl"].result_list
            assert other == []

    def test_a_case_is_closed_with_what_came_of_it(self, db):
        attempt = payout.attempt("UNKNOWN")
        payout_case.open_case(
            merchant_id=attempt.merchant_id, kind=PayoutCase.Kind.UNKNOWN_ALARM,
            subject=attempt.number, detail="d", attempt=attempt,
            at=payout.NOON + timedelta(hours=1),
        )  # fmt: skip
        case = PayoutCase.objects.get()
        address = reverse("admin:settlement_payoutcase_step", args=[case.pk, "close"])
        staff(is_superuser=True).post(address, {"reason": "the bank has paid"})

        assert PayoutCase.objects.get().outcome == "the bank has paid"
