"""Sheets in the admin: upload, preview, confirm; ask for an export, fetch it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from foundation import clock
from foundation.models import Approval, FileExport, FileImport
from foundation.services import file_export as exports
from merchants.models import Merchant, MerchantContact
from tests.factories import application_change as make
from tests.factories.application import PAPERS
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db
HEADER = "merchant_no,role,name,email,phone"


def door(role: str, language: str = "en") -> Client:
    user = UserFactory(is_staff=True, language=language)
    user.groups.set(Group.objects.filter(name=role))
    client = Client()
    client.force_login(user)
    client.user = user  # type: ignore[attr-defined]
    return client


def send(client: Client, kind: str, text: str | bytes, **more: str) -> HttpResponse:
    content = text if isinstance(text, bytes) else text.encode()
    file = SimpleUploadedFile("表.csv", content)
    return client.post(reverse("admin:foundation_import", args=[kind]), {"file": file, **more})  # type: ignore[return-value]


class TestTheWayOfASheet:
    def test_leads_from_upload_over_preview_to_what_it_did(self) -> None:
        shop, client = MerchantFactory(merchant_no="C1"), door("operator")

        sent = send(client, "contacts", f"{HEADER}\nC1,OWNER,张三,z@x.cn,13800138000\n")
        preview = client.get(sent["Location"])
        done = client.post(sent["Location"], {"do": "confirm"}, follow=True)

        assert sent.status_code == 302
        assert "*******8000" in preview.content.decode()
        assert "13800138000" not in preview.content.decode()
        assert "1 contacts are new, 0 changed." in done.content.decode()
        assert MerchantContact.objects.get(merchant=shop).name == "张三"
        again = client.post(sent["Location"], {"do": "confirm"}, follow=True)
        assert "no longer waits for confirmation" in again.content.decode()
        assert MerchantContact.objects.count() == 1

    def test_leads_merchants_to_the_approvals_and_their_list(self) -> None:
        client = door("operator")
        header = "merchant_no,name,registration_no,city,region,country,schedule"
        sent = send(client, "merchants", f"{header}\nX1,<b>店</b>,,,,CN,\n".encode("gb18030"),
                    encoding="gb18030")  # fmt: skip

        client.post(sent["Location"], {"do": "confirm"})

        approval = Approval.objects.get(action="merchants.merchant_import")
        checker = door("checker", "zh-hans")
        page = checker.get(reverse("admin:merchants_merchant_taken", args=[approval.id]))
        assert "&lt;b&gt;店&lt;/b&gt;" in page.content.decode()
        proposal = checker.get(reverse("admin:foundation_approval_change", args=[approval.id]))
        assert "<td>X1,&lt;b&gt;店&lt;/b&gt;,,,,CN,</td>" in proposal.content.decode()
        step = reverse("admin:foundation_approval_step", args=[approval.id, "approve"])
        checker.post(step, {"seen_sha256": approval.content_sha256})
        assert Merchant.objects.get(merchant_no="X1").name == "<b>店</b>"

    @pytest.mark.parametrize(("language", "said"), [("en", "bad rows"), ("zh-hans", "行有错误")])
    def test_says_every_bad_row_in_the_readers_language(self, language: str, said: str) -> None:
        answer = send(door("operator", language), "contacts", f"{HEADER}\nC1,OWNER,x,,\n,BOSS,,,\n")

        assert answer.status_code == 400
        page = answer.content.decode()
        assert "2" in page
        assert said in page
        assert not FileImport.objects.exists()

    @pytest.mark.parametrize("content", [b"", b"\0", b"\xff\xfe", b"PK\x03\x04", b"x" * 6_000_000])
    def test_answers_a_hostile_file_with_a_reason(self, content: bytes) -> None:
        answer = send(door("operator"), "contacts", content)

        assert answer.status_code == 400
        assert "Traceback" not in answer.content.decode()

    def test_stops_reading_what_is_larger_than_any_upload(self, settings) -> None:
        settings.UPLOAD_MAX_FILE_BYTES = 1_000

        answer = send(door("operator"), "contacts", b"x" * 200_000)

        assert answer.status_code == 400
        assert list(answer.context["form"].errors) == ["file"]

    def test_says_what_has_changed_since_the_upload(self) -> None:
        shop, client = MerchantFactory(merchant_no="B1", name="店"), door("operator")
        header = "merchant_no,kind,number,holder,bank_name,currency"
        sent = send(client, "bank-accounts", f"{header}\nB1,CORPORATE,12345678901,店,工行,CNY\n")
        _row, change = make.proposed(
            shop, make.somebody(), make.somebody(), name="新店", papers=PAPERS
        )
        make.decide(change, make.somebody())

        done = client.post(sent["Location"], {"do": "confirm"}, follow=True)

        assert done.status_code == 409
        assert "in the name of the merchant" in done.content.decode()
        assert "12345678901" not in done.content.decode()

    def test_is_open_to_its_maker_alone(self) -> None:
        MerchantFactory(merchant_no="C1")
        sent = send(door("operator"), "contacts", f"{HEADER}\nC1,OWNER,张三,z@x.cn,\n")

        for act in ("get", "post"):
            assert getattr(door("operator"), act)(sent["Location"]).status_code == 404
            assert getattr(door("auditor"), act)(sent["Location"]).status_code == 403

    def test_shows_a_page_of_many_rows_with_few_queries(self) -> None:
        MerchantFactory(merchant_no="C1")
        client = door("operator")
        rows = "\n".join(f"C1,OWNER,名{n},z@x.cn," for n in range(350))
        sent = send(client, "contacts", f"{HEADER}\n{rows}\n")

        with CaptureQueriesContext(connection) as seen:
            page = client.get(sent["Location"], {"from": "100"})

        assert "名100<" in page.content.decode()
        assert "名99<" not in page.content.decode()
        assert len(seen) < 40
        for wrong in ("x", "-1", "9" * 30, "１"):
            assert client.get(sent["Location"], {"from": wrong}).status_code == 200


class TestTheEmptySheet:
    @pytest.mark.parametrize("form", ["csv", "xlsx"])
    def test_is_taken_as_it_is_given_but_for_its_rows(self, form: str) -> None:
        client = door("operator")
        address = reverse("admin:foundation_import_template", args=["merchants", form])

        given = client.get(address)
        answer = send(client, "merchants", given.content)

        assert given["Content-Disposition"].startswith("attachment")
        assert [fault.row for fault in answer.context["refusal"].faults] == [0]
        assert "no rows" in answer.content.decode()


class TestAnExport:
    def test_leads_from_the_filter_to_the_file(self) -> None:
        MerchantFactory(merchant_no="E1", city="上海")
        client = door("operator")
        asked = {"status": "ACTIVE", "city": "上海", "merchant_no": "", "format": "csv"}

        sent = client.post(reverse("admin:foundation_export", args=["merchants"]), asked)
        export = FileExport.objects.get()
        exports.write(export_id=export.pk, at=clock.now())
        page = client.get(reverse("admin:foundation_fileexport_change", args=[export.pk]))
        address = reverse("admin:foundation_export_file", args=[export.pk])
        file = client.get(address)

        assert sent.status_code == 302
        assert address in page.content.decode()
        content = b"".join(file.streaming_content)  # type: ignore[attr-defined]
        assert len(content) == int(file["Content-Length"])
        assert "E1" in content.decode()
        assert "no-store" in file["Cache-Control"]
        assert door("operator").get(address).status_code == 404
        assert door("auditor").get(address).status_code == 403

    def test_of_a_kind_without_the_right_is_not_there(self) -> None:
        for kind in ("merchants", "nothing"):
            assert door("checker").get(
                reverse("admin:foundation_export", args=[kind])
            ).status_code in (403, 404)
            assert (
                door("finance").get(reverse("admin:foundation_import", args=[kind])).status_code
                == 403
            )

    def test_is_refused_with_a_wrong_filter_beside_its_field(self) -> None:
        asked = {"status": "NO", "format": "pdf"}

        answer = door("operator").post(
            reverse("admin:foundation_export", args=["merchants"]), asked
        )

        assert answer.status_code == 400
        assert set(answer.context["form"].errors) == {"status", "format"}

    def test_and_import_are_offered_above_the_list_to_who_may(self) -> None:
        address = reverse("admin:merchants_merchant_changelist")

        offered = {
            role: [link.label for link in door(role).get(address).context["links"]]
            for role in ("operator", "finance", "auditor")
        }

        assert offered == {
            "operator": ["Import merchants", "Export merchants"],
            "finance": ["Export merchants"],
            "auditor": [],
        }
