"""The matrix in the admin: shown to who may see it, changed by two persons through one form."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from foundation.models import Approval
from foundation.services import approval as approvals
from merchants.models import VerificationRule
from tests.factories.foundation import UserFactory
from tests.factories.verification import NOON, PIN, ask, give, member

pytestmark = pytest.mark.django_db
PROPOSE = "admin:merchants_verificationrule_propose"
GIVEN = {
    "operation": "withdrawal",
    "currency": "CNY",
    "from_amount": "20000.00",
    "factors": ["one_time_code", "payment_password"],
    "together": "on",
    "in_force": "on",
    "reason": "the board",
}


def door(role: str) -> Client:
    user = UserFactory(is_staff=True, language="en")
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


class TestTheForm:
    def test_proposes_a_row_that_another_person_puts_in_force(self) -> None:
        answer = door("operator").post(reverse(PROPOSE), GIVEN)

        proposal = Approval.objects.get(action="merchants.verification_rule")
        assert answer.status_code == 302
        assert not VerificationRule.objects.filter(from_amount_minor=20_000_00).exists()
        checker = UserFactory(is_staff=True)
        checker.groups.add(Group.objects.get(name="checker"))
        approvals.decide(
            approval_id=proposal.id,
            merchant_id=proposal.merchant_id,
            checker=checker,
            approve=True,
            reason="",
            seen_sha256=proposal.content_sha256,
            at=proposal.proposed_at,
        )
        row = VerificationRule.objects.get(from_amount_minor=20_000_00)
        assert (row.operation, row.currency, row.together) == ("withdrawal", "CNY", True)
        assert row.factors == ["payment_password", "one_time_code"]

    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"operation": "nothing"}, "operation"),
            ({"factors": []}, "factors"),
            ({"factors": ["nothing"]}, "factors"),
            ({"currency": "XXX"}, "from_amount"),
            ({"from_amount": "-1"}, "from_amount"),
            ({"from_amount": "1.001"}, "from_amount"),
            ({"reason": ""}, "reason"),
            ({"reason": "x" * 501}, "reason"),
        ],
    )
    def test_says_beside_the_field_what_is_wrong(
        self, changed: dict[str, object], field: str
    ) -> None:
        answer = door("operator").post(reverse(PROPOSE), GIVEN | changed)

        assert answer.status_code == 400
        assert field in answer.context["form"].errors
        assert not Approval.objects.exists()

    def test_begins_with_the_row_that_is_to_change(self) -> None:
        row = VerificationRule.objects.get(operation="withdrawal", from_amount_minor=50_000_00)

        answer = door("operator").get(reverse(PROPOSE), {"rule": str(row.id)})

        assert answer.context["form"].initial["from_amount"] == "50000.00"
        assert answer.context["form"].initial["factors"] == row.factors

    @pytest.mark.parametrize("number", ["", "x", "9" * 30, "-1", "\0"])
    def test_begins_empty_for_a_row_that_is_not_there(self, number: str) -> None:
        assert door("operator").get(reverse(PROPOSE), {"rule": number}).status_code == 200

    @pytest.mark.parametrize("role", ["checker", "finance", "auditor", "engineer"])
    def test_is_for_who_may_propose(self, role: str) -> None:
        client = door(role)

        assert client.get(reverse(PROPOSE)).status_code == 403
        assert client.post(reverse(PROPOSE), GIVEN).status_code == 403


class TestThePages:
    def test_show_the_matrix_and_what_became_of_each_proof(self) -> None:
        one = member()
        request = ask(one)
        give(request, payment_password=PIN)
        client = door("auditor")

        matrix = client.get(reverse("admin:merchants_verificationrule_changelist"))
        listed = client.get(reverse("admin:merchants_verificationrequest_changelist"))
        shown = client.get(
            reverse("admin:merchants_verificationrequest_change", args=[request.id])
        ).content.decode()

        assert "50,000.00 CNY" in matrix.content.decode()
        assert request.number in listed.content.decode()
        assert "payment password" in shown
        assert PIN not in shown
        assert str(NOON.year) in shown
