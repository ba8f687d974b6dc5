"""Merchants, contacts and bank accounts as sheets: judged, confirmed whole, decided by others."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import xlsxwriter
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from config.errors import Forbidden, NotFound
from foundation import sheet
from foundation.csv_intake import FileRefused
from foundation.models import Approval, AuditEvent, FileImport, History, OutboxMessage, User
from foundation.services import approval as approvals
from foundation.services import file_import as imports
from merchants.models import BankAccount, Merchant, MerchantContact
from tests.factories import paper as papers
from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory, MembershipFactory, MerchantFactory

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)
HEADERS = {
    "merchants": "merchant_no,name,registration_no,city,region,country,schedule",
    "contacts": "merchant_no,role,name,email,phone",
    "bank-accounts": "merchant_no,kind,number,holder,bank_name,bank_code,currency",
}
CARD = "6222021234567894"  # passes Luhn


def staff(role: str, **more: Any) -> User:
    user: User = UserFactory(is_staff=True, **more)
    user.groups.set(Group.objects.filter(name=role))
    return user


def upload(kind: str, *rows: str, maker: User | None = None, at: datetime = NOON) -> FileImport:
    return imports.check(
        kind=kind,
        file_name=f"{kind}.csv",
        content="\n".join([HEADERS[kind], *rows]).encode(),
        encoding="utf-8",
        maker=maker or staff("operator"),
        at=at,
    )


def bring_in(kind: str, *rows: str) -> str:
    kept = upload(kind, *rows)
    return imports.confirm(import_id=kept.id, maker=kept.made_by, at=NOON)


def faults(kind: str, *rows: str) -> list[tuple[int, str]]:
    with pytest.raises(sheet.SheetRefused) as refused:
        upload(kind, *rows)
    assert not FileImport.objects.exists()
    return [(fault.row, fault.column) for fault in refused.value.faults]


def decide(approval: Approval, checker: User) -> Approval:
    return approvals.decide(
        approval_id=approval.id,
        merchant_id=approval.merchant_id,
        checker=checker,
        approve=True,
        seen_sha256=approval.content_sha256,
        reason="",
        at=NOON + timedelta(minutes=5),
    )


class TestFaults:
    def test_are_told_all_at_once_in_the_rows_where_they_are(self) -> None:
        rows = ("A1,a,,,,CN", 'A2,b,,"c\nd",,CN,T1', "A3,e,,,,cn,T1", "A4,,,,,CN,T1")

        assert faults("merchants", *rows) == [
            (2, "schedule"), (3, "city"), (4, "country"), (5, "name"),
        ]  # fmt: skip

    def test_of_a_shape_repeat_no_secret(self) -> None:
        MerchantFactory(merchant_no="B1", name="店")
        file = io.BytesIO()
        with xlsxwriter.Workbook(file) as book:
            page = book.add_worksheet()
            page.write_row(0, 0, HEADERS["bank-accounts"].split(","))
            page.write_row(1, 0, ["B1", "CARD", 6222021234567894, "店", "工行", "", "CNY"])

        with pytest.raises(sheet.SheetRefused) as refused:
            imports.check(
                kind="bank-accounts", file_name="a.xlsx", content=file.getvalue(),
                encoding="utf-8", maker=staff("operator"), at=NOON,
            )  # fmt: skip

        assert [(one.column, one.value) for one in refused.value.faults] == [("number", "***")]


class TestContracts:
    def test_of_a_technical_service_take_no_bank_accounts_in(self) -> None:
        technical = papers.approved(contract_type="TECHNICAL", products=["qr"])
        held = MerchantFactory(name="店")
        row = "{0.merchant_no},CORPORATE,1234567890{1},{0.name},工行,,CNY"

        assert faults("bank-accounts", row.format(held, 1), row.format(technical, 2)) == [
            (3, "merchant_no")
        ]


class TestMerchants:
    ROWS = ("X1,店一,91110000600037341L,上海,SH,CN,", 'X2,"店,二",,,,CN,D1')

    def test_are_there_when_another_person_has_approved_the_list(self) -> None:
        kept = upload("merchants", *self.ROWS)
        imports.confirm(import_id=kept.id, maker=kept.made_by, at=NOON)
        approval = Approval.objects.get(action="merchants.merchant_import")
        assert not Merchant.objects.filter(merchant_no__startswith="X").exists()

        with pytest.raises(approvals.SelfApprovalForbidden):
            decide(approval, UserFactory(person=kept.made_by.person, is_superuser=True))
        decide(approval, staff("checker"))

        found = Merchant.objects.filter(merchant_no__startswith="X").order_by("merchant_no")
        assert list(found.values_list("merchant_no", "name", "declared_schedule")) == [
            ("X1", "店一", "T1"),
            ("X2", "店,二", "D1"),
        ]
        assert approval.after["merchants"] == [
            "X1,店一,91110000600037341L,上海,SH,CN,",
            self.ROWS[1],
        ]

    def test_every_bad_row_is_named_and_nothing_kept(self) -> None:
        MerchantFactory(merchant_no="K1", name="旧")

        assert faults(
            "merchants",
            "X1,店,911100006000373410,,,CN,",
            "K1,新,,,,CN,",
            "X1,店,,,,CN,ZZ",
            "HOUSE,店,,,,XX,",
        ) == [
            (2, "registration_no"),
            (3, "name"),
            (4, "merchant_no"),
            (4, "schedule"),
            (5, "merchant_no"),
            (5, "country"),
        ]

    def test_the_same_file_again_does_nothing(self) -> None:
        bring_in("merchants", *self.ROWS)
        with pytest.raises(approvals.AlreadyProposed):
            bring_in("merchants", *self.ROWS)
        decide(Approval.objects.get(action="merchants.merchant_import"), staff("checker"))

        kept = upload("merchants", *self.ROWS)

        assert (kept.rows, kept.new, kept.changed) == (2, 0, 0)
        assert imports.confirm(import_id=kept.id, maker=kept.made_by, at=NOON)
        assert Approval.objects.filter(action="merchants.merchant_import").count() == 1

    def test_are_judged_again_when_they_are_approved(self) -> None:
        bring_in("merchants", *self.ROWS)
        MerchantFactory(merchant_no="X2", name="another")
        approval = Approval.objects.get(action="merchants.merchant_import")

        with pytest.raises(FileRefused) as refused:
            decide(approval, staff("checker"))
        assert {bad.row for bad in refused.value.bad} == {3}

        approval.refresh_from_db()
        assert approval.state == Approval.State.PROPOSED
        assert not Merchant.objects.filter(merchant_no="X1").exists()

    def test_cost_as_many_queries_in_a_long_file(self) -> None:
        maker, few = staff("operator"), 0
        for many in (10, 500):
            rows = [f"Q{many}x{n},店,,,,CN,T1" for n in range(many)]
            with CaptureQueriesContext(
                connection,
            ) as seen:
                upload("merchants", *rows, maker=maker)
            assert not few or len(seen) <= few
            few = len(seen)


class TestContacts:
    def test_are_stored_encrypted_and_written_anew(self) -> None:
        shop = MerchantFactory(merchant_no="C1")

        bring_in("contacts", "C1,OWNER,张三,z@example.cn,138 0013 8000", "C1,FINANCE,李四,l@x.cn,")
        bring_in("contacts", "C1,OWNER,张三,,+8613800138001")

        owner = MerchantContact.objects.get(merchant=shop, role="OWNER")
        assert (owner.email, owner.phone, owner.phone_masked) == ("", "13800138001", "*******8001")
        assert MerchantContact.objects.filter(merchant=shop).count() == 2
        with connection.cursor() as cursor:
            cursor.execute("SELECT phone FROM merchants_merchant_contact WHERE id = %s", [owner.id])
            assert "138" not in cursor.fetchone()[0].partition(":")[0]
        trail = History.objects.filter(table="merchants_merchant_contact")
        assert "13800138" not in str(list(trail.values_list("before", "after")))

    def test_every_bad_row_is_named_with_its_phone_hidden(self) -> None:
        MerchantFactory(merchant_no="C1")

        with pytest.raises(sheet.SheetRefused) as refused:
            upload(
                "contacts",
                "C1,OWNER,张三,no,12345",
                "C9,OWNER,张三,z@x.cn,",
                "C1,BOSS, 李,,",
                "C1,OWNER,王,,",
                "C1,OWNER,赵,z@x.cn,",
                "C1,OWNER,赵,y@x.cn,",
            )

        found = [(fault.row, fault.column) for fault in refused.value.faults]
        assert found == [(2, "email"), (2, "phone"), (3, "merchant_no"), (4, "role"), (4, "name"),
                         (5, "phone"), (7, "merchant_no")]  # fmt: skip
        assert "12345" not in str([fault.value for fault in refused.value.faults])

    def test_say_before_and_after(self) -> None:
        MerchantFactory(merchant_no="C1")
        bring_in("contacts", "C1,OWNER,张三,z@x.cn,13800138000")

        kept = upload("contacts", "C1,OWNER,张三,y@x.cn,13800138000")

        assert imports.plan(kept).lines[0].changes == {"email": ("z@x.cn", "y@x.cn")}
        assert upload("contacts", "C1,OWNER,张三,z@x.cn,13800138000").changed == 0


class TestBankAccounts:
    @pytest.fixture
    def shop(self) -> Merchant:
        shop = MerchantFactory(merchant_no="B1", name="杭州店")
        owner = MembershipFactory(merchant=shop).user
        owner.email = "owner@example.cn"
        owner.save()
        owner.person.name = "张三"
        owner.person.save()
        return shop

    ROWS = (
        "B1,CORPORATE,1234 5678 901,杭州店,工行,,CNY",
        f"B1,CARD,{CARD},张三,工行,102331000018,CNY",
    )

    def test_wait_unverified_for_another_person_each(self, shop: Merchant) -> None:
        kept = upload("bank-accounts", self.ROWS[0], f"B1,CARD,{CARD},张三,工行,,CNY")

        imports.confirm(import_id=kept.id, maker=kept.made_by, at=NOON)

        made = list(BankAccount.objects.filter(merchant=shop).order_by("id"))
        assert [one.status for one in made] == ["UNVERIFIED", "UNVERIFIED"]
        assert {one.requested_by for one in made} == {kept.made_by}
        assert not any(one.approved_payee for one in made)
        waiting = Approval.objects.filter(merchant=shop, action="merchants.bank_account_approve")
        assert waiting.count() == 2
        with pytest.raises(approvals.SelfApprovalForbidden):
            decide(waiting[0], UserFactory(person=kept.made_by.person, is_superuser=True))
        decide(waiting.order_by("id")[0], staff("checker"))
        made[0].refresh_from_db()
        assert made[0].status == "VERIFIED"
        assert not made[0].is_usable(NOON + timedelta(hours=23))
        assert OutboxMessage.objects.filter(kind="merchants.tell_owners").exists()

    def test_cannot_be_verified_by_raw_sql(self, shop: Merchant) -> None:
        bring_in("bank-accounts", self.ROWS[0])

        with pytest.raises(IntegrityError, match="bank_account"), transaction.atomic():
            BankAccount.objects.update(status="VERIFIED", verified_at=NOON, usable_from=NOON)

    def test_every_bad_row_is_named_with_its_number_hidden(self, shop: Merchant) -> None:
        BankAccountFactory(merchant=shop, number="99999999999", holder="旧", currency="CNY")
        BankAccountFactory(merchant=shop, number="88888888888", holder="杭州店",
                           status="DISABLED", approved_payee=False)  # fmt: skip
        rows = (
            "B1,CORPORATE,12345678901,别人,工行,,CNY",
            "B1,CARD,6222021234567891,张三,工行,,CNY",
            "B1,CORPORATE,12345678901,杭州店,工行,1,CNX",
            "B9,CORPORATE,12345678901,杭州店,工行,,CNY",
            "B1,CORPORATE,88888888888,杭州店,工行,,CNY",
            "B1,CORPORATE,99999999999,杭州店,工行,,CNY",
            "B1,CORPORATE,1234567890 2,杭州店,工行,,CNY",
            "B1,CORPORATE,12345678902,杭州店,工行,,CNY",
        )

        with pytest.raises(sheet.SheetRefused) as refused:
            upload("bank-accounts", *rows)

        found = [(fault.row, fault.column) for fault in refused.value.faults]
        assert found == [(2, "holder"), (3, "number"), (4, "bank_code"), (4, "currency"),
                         (5, "merchant_no"), (6, "number"), (7, "holder"),
                         (9, "merchant_no")]  # fmt: skip
        assert "6222" not in str(refused.value.faults)

    def test_the_same_file_again_asks_for_nothing(self, shop: Merchant) -> None:
        bring_in("bank-accounts", self.ROWS[0])

        kept = upload("bank-accounts", self.ROWS[0])

        assert (kept.new, kept.changed) == (0, 0)
        imports.confirm(import_id=kept.id, maker=kept.made_by, at=NOON)
        assert BankAccount.objects.filter(merchant=shop).count() == 1

    def test_are_all_there_or_none(self, shop: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
        kept = upload("bank-accounts", self.ROWS[0], "B1,CORPORATE,12345678902,杭州店,工行,,CNY")
        real, calls = approvals.propose, []

        def refuse_the_second(**given: Any) -> Approval:
            calls.append(1)
            if len(calls) == 2:
                raise approvals.AlreadyProposed("no")
            return real(**given)

        monkeypatch.setattr(approvals, "propose", refuse_the_second)
        with pytest.raises(approvals.AlreadyProposed):
            imports.confirm(import_id=kept.id, maker=kept.made_by, at=NOON)

        assert not BankAccount.objects.exists()
        kept.refresh_from_db()
        assert kept.state == FileImport.State.CHECKED

    def test_leave_no_number_behind(self, shop: Merchant) -> None:
        bring_in("bank-accounts", f"B1,CARD,{CARD},张三,工行,,CNY")

        said = str(list(AuditEvent.objects.values_list("before", "after", "note")))
        said += str(list(History.objects.values_list("before", "after")))
        said += str(list(Approval.objects.values_list("before", "after")))
        assert CARD not in said
        assert FileImport.objects.get().content is None


class TestAnUpload:
    def test_is_confirmed_once_by_who_made_it_in_time(self) -> None:
        MerchantFactory(merchant_no="C1")
        kept = upload("contacts", "C1,OWNER,张三,z@x.cn,")
        other = staff("operator")

        with pytest.raises(NotFound):
            imports.confirm(import_id=kept.id, maker=other, at=NOON)
        with pytest.raises(imports.ImportClosed):
            imports.confirm(import_id=kept.id, maker=kept.made_by, at=kept.expires_at)
        imports.confirm(import_id=kept.id, maker=kept.made_by, at=NOON)
        with pytest.raises(imports.ImportClosed):
            imports.confirm(import_id=kept.id, maker=kept.made_by, at=NOON)

        assert MerchantContact.objects.count() == 1

    def test_is_forgotten_when_nobody_confirms_it(self) -> None:
        MerchantFactory(merchant_no="C1")
        kept = upload("contacts", "C1,OWNER,张三,z@x.cn,")

        assert imports.expire_due(at=kept.expires_at - timedelta(seconds=1)) == 0
        assert imports.expire_due(at=kept.expires_at) == 1

        kept.refresh_from_db()
        assert (kept.state, kept.content) == ("EXPIRED", None)

    def test_is_kept_encrypted_and_frozen(self) -> None:
        MerchantFactory(merchant_no="C1")
        kept = upload("contacts", "C1,OWNER,张三,z@x.cn,")
        with connection.cursor() as cursor:
            cursor.execute("SELECT content FROM foundation_file_import")
            assert "张三" not in cursor.fetchone()[0]

        for change in ({"rows": 5}, {"state": "CONFIRMED"}, {"made_by": staff("operator")}):
            with pytest.raises(IntegrityError), transaction.atomic():
                FileImport.objects.filter(id=kept.id).update(**change)

    @pytest.mark.parametrize("role", ["checker", "finance", "engineer", "auditor", "reviewer"])
    @pytest.mark.parametrize("kind", HEADERS)
    def test_is_for_who_holds_the_right(self, kind: str, role: str) -> None:
        with pytest.raises(Forbidden):
            upload(kind, "x", maker=staff(role))

    def test_is_limited_in_size_and_number(self) -> None:
        MerchantFactory(merchant_no="C1")
        maker = staff("operator")
        with pytest.raises(imports.UploadRefused):
            imports.check(kind="contacts", file_name="a", content=b"x" * (5 * 1024 * 1024 + 1),
                          encoding="utf-8", maker=maker, at=NOON)  # fmt: skip
        for _ in range(imports.MOST_WAITING):
            upload("contacts", "C1,OWNER,张三,z@x.cn,", maker=maker)

        with pytest.raises(imports.UploadRefused):
            upload("contacts", "C1,OWNER,张三,z@x.cn,", maker=maker)
