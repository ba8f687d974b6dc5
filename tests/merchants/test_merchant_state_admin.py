"""The screens that propose to freeze and restore: buttons, boxes, list, file."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from foundation import clock
from foundation.models import Approval
from foundation.services import approval as approvals
from merchants.models import Merchant
from merchants.services import merchant_state as states
from tests.factories import merchant_state as make
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db

PROPOSE = "admin:merchants_merchant_move"
SAID = {"action": states.FREEZE, "reason": "清理", "document": "银支付〔2026〕12号"}


def door(role: str, language: str = "en") -> Client:
    user = UserFactory(is_staff=True, language=language)
    user.groups.set(Group.objects.filter(name=role))
    client = Client()
    client.force_login(user)
    client.user = user  # type: ignore[attr-defined]
    return client


@pytest.fixture
def shops() -> list[Merchant]:
    return [MerchantFactory() for _ in range(3)]


class TestTheList:
    def test_is_proposed_from_what_was_typed_and_from_a_file(self, shops):
        first, second, third = (shop.merchant_no for shop in shops)
        file = SimpleUploadedFile("list.csv", f"merchant_no,name\n{third},店\n".encode("utf-8-sig"))
        paper = SimpleUploadedFile("order.txt", "冻结".encode())
        sent = SAID | {"merchants": f"{first}，{second}\r\n", "file": file, "attachments": [paper]}

        answer = door("operator").post(reverse(PROPOSE), sent)

        assert answer.status_code == 302
        approval = Approval.objects.get(action=states.FREEZE)
        assert [line.split(" ")[0] for line in approval.after["merchants"]] == [
            first, second, third,
        ]  # fmt: skip
        assert approval.attachments[0]["name"] == "order.txt"
        assert set(Merchant.objects.values_list("status", flat=True)) == {"ACTIVE"}

    @pytest.mark.parametrize(
        ("content", "encoding"),
        [
            ("商户号;名称\r\n{0};店\r\n{1};铺\r\n", "gb18030"),
            ('"{0}","店, 一"\n"{1}"\n', "utf-8"),
            ("merchant_no\t店\n{0}\t\n\n{1}\n", "utf-8-sig"),
        ],
    )
    def test_is_read_as_spreadsheets_write_it(self, shops, content, encoding):
        numbers = [shop.merchant_no for shop in shops[:2]]
        file = SimpleUploadedFile("list.csv", content.format(*numbers).encode(encoding))

        answer = door("operator").post(reverse(PROPOSE), SAID | {"file": file})

        assert answer.status_code == 302
        moves = Approval.objects.get(action=states.FREEZE).after["merchants"]
        assert [line.split(" ")[0] for line in moves] == numbers

    @pytest.mark.parametrize(
        ("sent", "field"),
        [
            ({"merchants": ""}, "merchants"),
            ({"merchants": "nobody"}, "merchants"),
            ({"merchants": "\x00"}, "merchants"),
            ({"reason": ""}, "reason"),
            ({"document": ""}, "document"),
            ({"action": "merchants.close"}, "action"),
            ({"file": SimpleUploadedFile("a.csv", b"\xff\xfe\x00")}, "file"),
            ({"file": SimpleUploadedFile("a.csv", b"x" * (1024 * 1024 + 1))}, "file"),
            ({"file": SimpleUploadedFile("a.csv", b"\n" * 900_000)}, "file"),
        ],
    )
    def test_says_a_mistake_beside_its_field(self, shops, sent, field):
        given = SAID | {"merchants": shops[0].merchant_no} | sent

        answer = door("operator").post(reverse(PROPOSE), given)

        assert answer.status_code == 400
        assert list(answer.context["form"].errors) == [field]
        assert not Approval.objects.filter(action=states.FREEZE).exists()

    def test_begins_with_the_merchants_whose_boxes_were_ticked(self, shops):
        client = door("operator")
        ticked = [str(shop.pk) for shop in shops[:2]]
        to = reverse("admin:merchants_merchant_changelist")

        answer = client.post(to, {"action": "move_chosen", "_selected_action": ticked}, follow=True)

        typed = answer.context["form"].initial["merchants"]
        assert typed.split("\n") == sorted(shop.merchant_no for shop in shops[:2])

    @pytest.mark.parametrize("role", ["checker", "auditor"])
    def test_is_for_who_may_propose(self, shops, role):
        client = door(role)
        given = SAID | {"merchants": shops[0].merchant_no}

        assert client.get(reverse(PROPOSE)).status_code == 403
        assert client.post(reverse(PROPOSE), given).status_code == 403

    def test_is_shown_to_the_checker_in_few_statements(self):
        numbers = [MerchantFactory().merchant_no for _ in range(30)]
        approval = make.propose(states.FREEZE, *numbers)
        client = door("checker")
        page = reverse("admin:merchants_merchant_moves", args=[approval.pk])

        with CaptureQueriesContext(connection) as queries:
            answer = client.get(page)

        assert len(answer.context["rows"]) == 30
        assert len(queries) < 25
        assert client.get(reverse("admin:merchants_merchant_moves", args=[0])).status_code == 404


class TestTheButtons:
    def test_propose_for_one_and_the_page_shows_what_waits(self, shops):
        shop, client = shops[0], door("operator")
        page = reverse("admin:merchants_merchant_change", args=[shop.pk])
        step = reverse("admin:merchants_merchant_step", args=[shop.pk, "freeze"])

        client.post(step, {"reason": "risk", "paper": "letter 7"})

        approval = Approval.objects.get(merchant=shop)
        assert approval.after["document"] == "letter 7"
        shown = client.get(page)
        assert [one.what for one in shown.context["waiting"]] == [
            f"Freeze merchant {shop.merchant_no}"
        ]
        assert [entry["step"].name for entry in shown.context["steps"]] == [
            "change_data", "re_review", "freeze", "restrict",
        ]  # fmt: skip

    def test_are_decided_by_another_person_in_the_inbox(self, shops):
        shop = shops[0]
        approval = make.propose(states.FREEZE, shop.merchant_no, at=clock.now())
        checker = door("checker", "zh-hans")
        decide = reverse("admin:foundation_approval_step", args=[approval.pk, "approve"])

        page = checker.get(reverse("admin:foundation_approval_change", args=[approval.pk]))
        checker.post(decide, {"seen_sha256": approval.content_sha256, "reason": ""})

        assert f"冻结商户 {shop.merchant_no}" in page.content.decode()
        shop.refresh_from_db()
        assert shop.status == "FROZEN"
        page = checker.get(reverse("admin:merchants_merchant_change", args=[shop.pk]))
        assert "letter 1" in page.content.decode()

    def test_cannot_be_decided_by_who_proposed(self, shops):
        client = door("operator")
        client.user.groups.add(Group.objects.get(name="checker"))  # type: ignore[attr-defined]
        approval = make.propose(
            states.FREEZE, shops[0].merchant_no, maker=client.user, at=clock.now()
        )  # type: ignore[attr-defined]
        decide = reverse("admin:foundation_approval_step", args=[approval.pk, "approve"])

        client.post(decide, {"seen_sha256": approval.content_sha256})

        approval.refresh_from_db()
        assert approval.state == approvals.State.PROPOSED
        assert Merchant.objects.get(pk=shops[0].pk).status == "ACTIVE"
