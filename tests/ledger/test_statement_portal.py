import csv
import hashlib
import io
import re
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from foundation import registries, sql
from foundation.models import AuditEvent, FileExport
from ledger.portal.statement import escaped
from ledger.services import account as accounts
from ledger.services import journal
from tests.factories import portal
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory

BACKEND = "django.contrib.auth.backends.ModelBackend"


def move(merchant_id: int, minor: int, source_id: str) -> None:
    """Clear money into the pending account."""
    slices = {
        kind: accounts.open_slice(merchant_id=merchant_id, kind=kind, currency="CNY")
        for kind in ("channel_receivable", "merchant_pending")
    }
    journal.post(
        merchant_id=merchant_id,
        source_kind="test",
        source_id=source_id,
        postings=[
            journal.debit(slices["channel_receivable"], "clear", minor),
            journal.credit(slices["merchant_pending"], "clear", minor),
        ],
    )


@pytest.fixture
def merchant(db):
    """A merchant with 120 movements of 1.00, 2.00 and so on."""
    made = MerchantFactory()
    for number in range(1, 121):
        move(made.id, number * 100, f"=cause-{number}")
    return made


@pytest.fixture
def reader(client, merchant):
    """A browser of the merchant's owner, in English."""
    person = portal.member(merchant, language="en")
    client.force_login(person, BACKEND)
    return client


class TestStatement:
    def test_shows_every_movement_once_over_its_pages(self, reader, merchant):
        address, seen, pages = f"/portal/{merchant.id}/statement", [], 0

        while address:
            answer = reader.get(address)
            seen += [row.amount.minor for row in answer.context["rows"]]
            pages += 1
            found = re.search(rb'rel="next" href="([^"]+)"', answer.content)
            address = found[1].decode().replace("&amp;", "&") if found else ""

        assert seen == [number * 100 for number in range(120, 0, -1)]
        assert pages == 3

    def test_opening_and_movements_are_closing(self, reader, merchant):
        context = reader.get(f"/portal/{merchant.id}/statement").context

        assert str(context["opening"]) == "0.00 CNY"
        assert str(context["closing"]) == "7260.00 CNY"

    def test_is_empty_before_the_first_movement_of_its_days(self, reader, merchant):
        answer = reader.get(f"/portal/{merchant.id}/statement?until=2020-01-31")

        assert answer.context["rows"] == []
        assert str(answer.context["closing"]) == "0.00 CNY"
        assert b"Nothing moved" in answer.content

    def test_counts_whole_business_days_of_the_institutions_zone(self, reader, merchant):
        today = timezone.localtime().date()
        if timezone.localtime() - timedelta(seconds=60) < timezone.localtime().replace(
            hour=0, minute=0, second=0
        ):
            pytest.skip("the movements may lie on both sides of midnight")

        answer = reader.get(f"/portal/{merchant.id}/statement?since={today}&until={today}")
        before = reader.get(f"/portal/{merchant.id}/statement?until={today - timedelta(days=1)}")

        assert len(answer.context["rows"]) == 50
        assert before.context["rows"] == []

    @pytest.mark.parametrize(
        "query",
        [
            "since=2026-02-30",
            "since=2026-02-02&until=2026-02-01",
            "until=9999-12-31",
            "since=0001-01-01",
            "account=merchant_reserve",
            "account=available-USD",
        ],
    )
    def test_says_what_is_wrong_with_a_filter(self, reader, merchant, query):
        answer = reader.get(f"/portal/{merchant.id}/statement?{query}")

        assert answer.status_code == 200
        assert answer.context["form"].errors
        assert b'role="alert"' in answer.content
        assert reader.get(f"/portal/{merchant.id}/statement.csv?{query}").status_code == 200

    @pytest.mark.parametrize("below", ["", "x", "1", "1.1.1", "-1.0", "9" * 30 + ".1"])
    def test_begins_at_the_top_for_a_cursor_it_does_not_know(self, reader, merchant, below):
        answer = reader.get(f"/portal/{merchant.id}/statement?below={below}")

        assert answer.context["rows"][0].amount.minor == 120_00

    def test_asks_as_often_for_a_full_page_as_for_a_short_one(
        self, reader, merchant, django_assert_num_queries
    ):
        address = f"/portal/{merchant.id}/statement?account=pending-CNY"

        with django_assert_num_queries(9):  # and the modules of the contract, and what was taken
            reader.get(address)
        with django_assert_num_queries(9):
            reader.get(f"{address}&below=4.0")

    def test_is_empty_in_words_for_a_new_merchant(self, client, db):
        merchant = MerchantFactory()
        client.force_login(portal.member(merchant, language="en"), BACKEND)

        answer = client.get(f"/portal/{merchant.id}/statement")

        assert b"There is no movement yet" in answer.content
        assert client.get(f"/portal/{merchant.id}/statement.csv").status_code == 200

    def test_names_facts_by_their_numbers(self):
        assert {"payment", "refund"} <= {name for name, _ in registries.fact_namers.items()}


class TestExport:
    def test_adds_up_from_opening_to_closing(self, reader, merchant):
        answer = reader.get(f"/portal/{merchant.id}/statement.csv")
        text = b"".join(answer.streaming_content).decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text)))

        assert rows[0] == ["Time", "Movement", "Reference", "Amount", "Balance", "Currency"]
        assert (rows[1][1], rows[1][4]) == ("Closing balance", "7260.00")
        assert (rows[-1][1], rows[-1][4]) == ("Opening balance", "0.00")
        assert len(rows) == 1 + 1 + 120 + 1
        assert sum(round(float(row[3]) * 100) for row in rows[2:-1]) == 7260_00
        assert datetime.fromisoformat(rows[2][0]).utcoffset() == timedelta(hours=8)

    def test_is_written_into_the_audit_trail(self, reader, merchant):
        reader.get(f"/portal/{merchant.id}/statement.csv?since=2026-01-05")

        event = AuditEvent.objects.get(action="statement.export")
        assert (event.merchant_id, event.after["since"]) == (merchant.id, "2026-01-05")

    def test_stands_in_the_log_of_exports_once_its_end_was_sent(self, reader, merchant):
        answer = reader.get(f"/portal/{merchant.id}/statement.csv?since=2026-01-05")
        log = FileExport.objects.get(kind="statement")
        assert (log.state, log.rows) == ("SENT", None)

        sent = b"".join(answer.streaming_content)

        log.refresh_from_db()
        assert (log.rows, log.size_bytes) == (sent.count(b"\n") - 3, len(sent))
        assert log.sha256 == hashlib.sha256(sent).hexdigest()
        assert log.filter["merchant_no"] == merchant.merchant_no
        assert log.filter["since"] == "2026-01-05"
        assert not log.requested_by.is_staff
        assert not log.parts.exists()
        for change in ({"rows": 0}, {"filter": {}}, {"state": "DELETED"}, {"sha256": ""}):
            with pytest.raises(IntegrityError, match="file_export_frozen"), transaction.atomic():
                FileExport.objects.filter(id=log.id).update(**change)

    def test_is_read_in_the_admin_by_its_name(self, reader, merchant, client):
        b"".join(reader.get(f"/portal/{merchant.id}/statement.csv").streaming_content)
        auditor = UserFactory(is_staff=True, is_superuser=True, language="en")
        client.force_login(auditor, BACKEND)

        page = client.get("/admin/foundation/fileexport/").content.decode()

        assert "sent at once" in page
        assert "Statement" in page
        assert merchant.merchant_no in page

    def test_runs_no_formula_in_a_spreadsheet(self, reader, merchant):
        answer = reader.get(f"/portal/{merchant.id}/statement.csv")
        text = b"".join(answer.streaming_content).decode("utf-8-sig")

        assert {row[2][:3] for row in list(csv.reader(io.StringIO(text)))[2:-1]} == {"'=c"}

    @pytest.mark.parametrize(
        ("cell", "written"),
        [
            ("=1+1", "'=1+1"),
            ("+86", "'+86"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t'=1"),
            ("＝1+1", "'＝1+1"),
            ("-12.50", "-12.50"),
            ("P1", "P1"),
            ("", ""),
        ],
    )
    def test_escapes_texts_and_leaves_numbers(self, cell, written):
        assert escaped(cell) == written

    def test_breaks_off_without_its_last_row_when_it_does_not_add_up(self, superuser, client):
        merchant = MerchantFactory()
        move(merchant.id, 1_00, "one")
        move(merchant.id, 2_00, "two")
        client.force_login(portal.member(merchant, language="en"), BACKEND)
        superuser.execute(
            "UPDATE ledger_posting SET balance_after = 999 WHERE merchant_id = %s AND"
            " account_kind = 'merchant_pending' AND seq = 2",
            [merchant.id],
        )

        answer, read = client.get(f"/portal/{merchant.id}/statement.csv"), []
        with pytest.raises(Exception, match="is not 999"):
            read.extend(answer.streaming_content)

        assert "Opening balance" not in b"".join(read).decode()
        assert FileExport.objects.get().rows is None
        assert sql.rows("SELECT 1 AS one") == [{"one": 1}]
