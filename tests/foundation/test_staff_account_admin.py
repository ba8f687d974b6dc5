"""The screens of colleagues: forms with mistakes beside the field, steps, list and filters."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from foundation.models import Approval, User
from tests.factories.foundation import UserFactory
from tests.foundation.colleagues import (
    approve,
    colleague_proposed,
    off,
    one_of,
)

LIST = "/admin/foundation/user/"
COLLEAGUE = {
    "name": "Dan Li",
    "username": "dan.li",
    "email": "dan@example.com",
    "language": "zh-hans",
    "role_names": ["finance"],
    "reason": "joins",
}


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def step(client: Client, row: User, name: str, reason: str = "because") -> str:
    address = reverse("admin:foundation_user_step", args=[row.pk, name])
    return client.post(address, {"reason": reason}, follow=True).content.decode()


class TestTheForms:
    def test_propose_a_colleague(self, ann: User, bo: User) -> None:
        client, address = client_of(ann), reverse("admin:foundation_staff_new")
        assert "New colleague" in client.get(address).content.decode()

        said = client.post(address, COLLEAGUE, follow=True).content.decode()

        assert "another person decides in the approvals" in said
        proposal = Approval.objects.get()
        page = reverse("admin:foundation_approval_change", args=[proposal.pk])
        shown = client_of(bo).get(page).content.decode()
        assert "New colleague Dan Li (dan.li): finance" in shown
        assert "dan@example.com" in shown
        assert "may be the same person" not in shown

    @pytest.mark.parametrize(
        "fields",
        [
            {"first_name": "LI", "last_name": " dan"},
            {"email": "D.an+work@EXAMPLE.com"},
        ],
    )
    def test_show_who_may_be_the_same_person(
        self, ann: User, bo: User, fields: dict[str, str]
    ) -> None:
        UserFactory.create(username="danny", **fields)
        client_of(ann).post(reverse("admin:foundation_staff_new"), COLLEAGUE)
        page = reverse("admin:foundation_approval_change", args=[Approval.objects.get().pk])

        shown = client_of(bo).get(page).content.decode()

        assert "may be the same person as" in shown
        assert "danny" in shown

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("username", "Dan Li"),
            ("username", "bo"),
            ("email", "nowhere"),
            ("language", "tlh"),
            ("role_names", []),
            ("role_names", ["king"]),
            ("reason", ""),
            ("name", ""),
        ],
    )
    def test_say_a_mistake_beside_its_field(
        self,
        ann: User,
        bo: User,
        field: str,
        value: object,
    ) -> None:
        address = reverse("admin:foundation_staff_new")

        answer = client_of(ann).post(address, {**COLLEAGUE, field: value})

        assert answer.status_code == 400
        assert list(answer.context["form"].errors) == [field]
        assert not Approval.objects.exists()

    def test_take_no_character_that_cannot_be_stored(self, ann: User) -> None:
        for field in ("name", "username", "email", "reason"):
            sent = {**COLLEAGUE, field: "a\0b"}
            answer = client_of(ann).post(reverse("admin:foundation_staff_new"), sent)
            assert list(answer.context["form"].errors) == [field]

    def test_propose_other_roles_from_the_page_of_the_account(
        self,
        ann: User,
        bo: User,
    ) -> None:
        client, cai = client_of(ann), one_of("operator")
        page = client.get(reverse("admin:foundation_user_change", args=[cai.pk]))
        address = reverse("admin:foundation_staff_roles", args=[cai.pk])
        assert address in page.content.decode()
        assert client.get(address).context["form"]["role_names"].value() == ["operator"]

        same = client.post(address, {"role_names": ["operator"], "reason": "x"})
        client.post(address, {"role_names": ["auditor"], "reason": "moves"})

        assert list(same.context["form"].errors) == ["role_names"]
        assert "Waits for a checker" in client.get(page.request["PATH_INFO"]).content.decode()
        approve(Approval.objects.get(), bo)
        assert cai.groups.get().name == "auditor"

    def test_are_not_there_for_a_superuser_or_a_merchants_person(self, ann: User) -> None:
        boss, client = one_of(is_superuser=True), client_of(ann)
        assert (
            client.get(reverse("admin:foundation_staff_roles", args=[boss.pk])).status_code == 404
        )
        page = client.get(reverse("admin:foundation_user_change", args=[boss.pk]))
        assert "Propose other roles" not in page.content.decode()


class TestTheSteps:
    def test_switch_off_and_propose_on(self, ann: User, bo: User) -> None:
        client, cai = client_of(ann), one_of("operator", email="cai@example.com")
        assert "Please say why." in step(client, cai, "switch_off", "")

        assert "its sessions ended" in step(client, cai, "switch_off")
        shown = client.get(reverse("admin:foundation_user_change", args=[cai.pk])).content.decode()
        assert "Propose to switch it on again" in shown
        assert "Switch off at once" not in shown
        assert "another person decides" in step(client, cai, "propose_on")

        proposal = Approval.objects.get()
        page = reverse("admin:foundation_approval_change", args=[proposal.pk])
        told = client_of(bo).get(page).content.decode()
        assert f"Account of staff {cai.username}" in told
        assert "<td>switched off</td><td>on</td>" in told
        assert str(cai.pk) not in told  # people read words (AP-13)
        approve(proposal, bo)
        cai.refresh_from_db()
        assert cai.is_active

    def test_refuse_in_words(self, ann: User, bo: User) -> None:
        client = client_of(ann)
        assert "an account of yours" in step(client, ann, "switch_off")
        assert "Nobody else could decide" in step(client, bo, "switch_off")
        assert "waits for no link" in step(client, bo, "send_link")

    def test_are_for_who_holds_the_right(self, ann: User, bo: User) -> None:
        for name in ("switch_off", "propose_on", "send_link"):
            address = reverse("admin:foundation_user_step", args=[ann.pk, name])
            for user in (bo, one_of("auditor"), one_of("finance")):
                assert client_of(user).post(address, {"reason": "x"}).status_code == 403


class TestTheList:
    def test_filters_by_role_and_state(self, ann: User, bo: User) -> None:
        approve(colleague_proposed(ann), bo)
        gone = one_of("finance", username="gone")
        off(gone, ann)
        client = client_of(ann)

        def names(query: str) -> list[str]:
            rows = client.get(f"{LIST}?{query}").context["cl"].result_list
            return [row.username for row in rows]

        assert names("role=finance") == ["dan.li", "gone"]
        assert names("role=checker") == ["bo"]
        assert names("role=auditor") == []
        assert names("role=king") == []
        assert names("standing=off") == ["gone"]
        assert names("standing=waits") == ["dan.li"]

    def test_asks_the_same_however_many_there_are(self, ann: User) -> None:
        client = client_of(ann)

        def asked() -> int:
            with CaptureQueriesContext(
                connection,
            ) as queries:
                assert client.get(f"{LIST}?kind=staff").status_code == 200
            return len(queries)

        one_of("finance")
        asked()
        few = asked()
        for _ in range(5):
            one_of("finance", "operator")

        assert asked() == few
