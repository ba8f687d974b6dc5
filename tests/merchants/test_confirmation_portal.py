"""A withdrawal that a colleague confirms on the page, and staff by telephone in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from foundation import clock
from foundation.models import AuditEvent
from merchants.models import BankAccount, Confirmation, Membership
from merchants.services import verification
from settlement.models import Withdrawal
from tests.factories import payout
from tests.factories.confirmation import merchant_with_phone
from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory
from tests.factories.verification import PIN, ask, give, member, prove, rule

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


def door(one: Membership) -> Client:
    one.user.language = "en"
    one.user.save()
    client = Client()
    client.force_login(one.user, BACKEND)
    return client


@pytest.fixture
def owner() -> Membership:
    """An owner whose merchant has money, an account and a telephone on file."""
    made = member(merchant=merchant_with_phone())
    payout.fund(made.merchant, 1000_00)
    BankAccountFactory(merchant=made.merchant)
    return made


@pytest.fixture
def colleague(owner: Membership) -> Membership:
    return member(merchant=owner.merchant)


def asked(owner: Membership, client: Client) -> Any:
    """Fill in a withdrawal, give the payment password, and return the page that waits."""
    address = reverse("portal:withdraw", args=[owner.merchant_id])
    form = client.get(address).context["form"]
    given = {
        "token": form.initial["token"], "account": str(form.fields["account"].choices[0][0]),
        "amount": "50.00", "step": "ask",
    }  # fmt: skip
    step = client.post(address, given).context["step"]
    return client.post(
        address,
        given | {"step": "confirm", "verification": step.request.number, "payment_password": PIN},
    )


class TestASecondPerson:
    @pytest.fixture(autouse=True)
    def _needed(self, owner: Membership) -> None:
        rule("payment_password", "second_person")

    def test_confirms_and_the_first_goes_on(self, owner: Membership, colleague: Membership) -> None:
        first, second = door(owner), door(colleague)
        waits = asked(owner, first).content.decode()
        assert "once others have confirmed" in waits
        assert 'value="confirm"' not in waits  # nothing is left for him to do here
        assert not Withdrawal.objects.exists()
        row = Confirmation.objects.get()
        listed = reverse("portal:confirmations", args=[owner.merchant_id])
        page = reverse("portal:confirmation", args=[owner.merchant_id, row.id])

        shown = second.get(page).content.decode()
        assert "50.00" in shown
        chosen = BankAccount.objects.get(uuid=row.verification.payee)
        assert chosen.number_masked in shown
        assert chosen.number not in shown
        assert "Go on" not in first.get(listed).content.decode()
        assert prove(second, page, {})["Location"] == listed
        go_on = first.get(listed).context["rows"][0]["go_on"]
        ready = first.get(go_on)
        assert 'value="confirm"' in ready.content.decode()
        assert "verification" in go_on
        proceed = {name: ready.context["given"][name] for name in ready.context["given"]}
        done = first.post(
            go_on,
            proceed | {"step": "confirm", "verification": ready.context["step"].request.number},
        )

        made = Withdrawal.objects.get()
        assert done["Location"].endswith(made.number)
        assert (made.amount_minor, made.requested_by) == (50_00, owner.user)
        again = first.get(go_on, follow=True).content.decode()
        assert "begin again" in again
        assert "Go on" not in first.get(listed).content.decode()

    def test_refuses_with_a_reason(self, owner: Membership, colleague: Membership) -> None:
        first, second = door(owner), door(colleague)
        asked(owner, first)
        row = Confirmation.objects.get()
        address = reverse("portal:confirmation_refuse", args=[owner.merchant_id, row.id])

        second.post(address, {"note": ""})
        assert Confirmation.objects.get().state == "WAITING"
        second.post(address, {"note": "nobody ordered that"})

        page = reverse("portal:confirmation", args=[owner.merchant_id, row.id])
        assert "nobody ordered that" in first.get(page).content.decode()
        assert not first.get(page).context["line"]["go_on"]

    def test_is_another_person(self, owner: Membership, colleague: Membership) -> None:
        first = door(owner)
        asked(owner, first)
        row = Confirmation.objects.get()
        page = reverse("portal:confirmation", args=[owner.merchant_id, row.id])

        assert "step" not in first.post(page, {}).context
        first.post(f"{page}/refuse", {"note": "me"})
        assert Confirmation.objects.get().state == "WAITING"

    def test_of_another_merchant_finds_nothing(
        self, owner: Membership, colleague: Membership
    ) -> None:
        asked(owner, door(owner))
        row, stranger = Confirmation.objects.get(), member()

        for merchant_id in (owner.merchant_id, stranger.merchant_id):
            page = reverse("portal:confirmation", args=[merchant_id, row.id])
            assert door(stranger).get(page).status_code == 404

    def test_cannot_go_on_in_anothers_name(self, owner: Membership, colleague: Membership) -> None:
        request = ask(owner, clock.now(), payee=str(Membership.objects.first().user_id))
        give(request, clock.now(), payment_password=PIN)
        address = reverse("portal:withdraw", args=[owner.merchant_id])

        answer = door(colleague).get(f"{address}?verification={request.number}")

        assert answer["Location"] == address
        assert verification.asked(request).others

    def test_is_listed_with_a_fixed_number_of_queries(
        self, owner: Membership, colleague: Membership, django_assert_max_num_queries: Any
    ) -> None:
        client = door(colleague)
        for _n in range(6):
            give(ask(owner, clock.now()), clock.now(), payment_password=PIN)

        with django_assert_max_num_queries(24):
            page = client.get(reverse("portal:confirmations", args=[owner.merchant_id]))
        assert len(page.context["rows"]) == 6


class TestACallBack:
    def staff(self, role: str) -> Client:
        user = UserFactory(is_staff=True, language="en")
        user.groups.set(Group.objects.filter(name=role))
        client = Client()
        client.force_login(user)
        return client

    def test_is_a_task_of_the_overview_and_done_in_the_admin(self, owner: Membership) -> None:
        rule("payment_password", "call_back")
        first, clerk = door(owner), self.staff("operator")
        assert "once others have confirmed" in asked(owner, first).content.decode()
        row = Confirmation.objects.get()
        page = reverse("admin:merchants_confirmation_change", args=[row.pk])
        number = reverse("admin:merchants_confirmation_number", args=[owner.merchant_id, row.pk])
        step = reverse("admin:merchants_confirmation_step", args=[row.pk, "confirmed"])

        assert "called back" in clerk.get(reverse("admin:index")).content.decode()
        shown = clerk.get(page).content.decode()
        assert row.phone_masked in shown
        assert "13800138000" not in shown
        told = clerk.get(number)
        assert "13800138000" in told.content.decode()
        assert page in told.content.decode()  # the way back
        assert "no-store" in told["Cache-Control"]
        assert AuditEvent.objects.filter(action="confirmation.number_shown").count() == 1
        clerk.post(step, {"reason": ""})
        assert Confirmation.objects.get().state == "WAITING"
        clerk.post(step, {"reason": "spoke with Chen Li, who wants it"})
        assert Confirmation.objects.get().state == "CONFIRMED"
        assert clerk.get(number).status_code == 404
        listed = reverse("portal:confirmations", args=[owner.merchant_id])
        assert first.get(listed).context["rows"][0]["go_on"]

    @pytest.mark.parametrize("role", ["checker", "auditor", "finance"])
    def test_is_done_by_who_holds_the_right(self, owner: Membership, role: str) -> None:
        rule("payment_password", "call_back")
        asked(owner, door(owner))
        row, clerk = Confirmation.objects.get(), self.staff(role)

        number = reverse("admin:merchants_confirmation_number", args=[owner.merchant_id, row.pk])
        assert clerk.get(number).status_code == 403
        clerk.post(
            reverse("admin:merchants_confirmation_step", args=[row.pk, "confirmed"]),
            {"reason": "x"},
        )
        assert Confirmation.objects.get().state == "WAITING"
