"""Exports: asked for, written, handed to their owner, deleted, logged."""

from __future__ import annotations

import csv
import io
import resource
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from config.errors import Forbidden, NotFound
from foundation import pieces
from foundation.models import (
    AuditEvent,
    FileExport,
    FileExportPart,
    Job,
    OutboxMessage,
    User,
)
from foundation.services import file_export as exports
from foundation.services import job as jobs
from merchants.models import Merchant
from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory, MerchantFactory

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)


def staff(role: str) -> User:
    user: User = UserFactory(is_staff=True)
    user.groups.set(Group.objects.filter(name=role))
    return user


def ask(user: User, kind: str = "merchants", format: str = "csv", **chosen: str) -> FileExport:
    return exports.request(kind=kind, filter=chosen, format=format, user=user, at=NOON)


def fetched(export: FileExport) -> list[list[str]]:
    _export, pieces = exports.read(export_id=export.id, user=export.requested_by, at=NOON)
    return list(csv.reader(io.StringIO(b"".join(pieces).decode("utf-8-sig"), newline="")))


class TestAnExport:
    def test_holds_what_the_filter_chooses_and_is_logged(self) -> None:
        MerchantFactory(merchant_no="E1", name="=cmd|calc", city="上海")
        MerchantFactory(merchant_no="E2", city="北京")
        export = ask(staff("finance"), city="上海", status="")
        assert OutboxMessage.objects.filter(kind=exports.TASK).count() == 1

        exports.write(export_id=export.id, at=NOON)

        rows = fetched(export)
        assert [row[:2] for row in rows] == [["merchant_no", "name"], ["E1", "'=cmd|calc"]]
        export.refresh_from_db()
        assert (export.state, export.rows, export.downloads) == ("READY", 1, 1)
        assert export.filter == {"city": "上海"}
        acts = AuditEvent.objects.filter(object_kind="file_export").order_by("id")
        assert [act.action for act in acts] == ["file.export", "file.written", "file.download"]
        assert acts[1].after["rows"] == 1
        assert acts[1].after["filter"] == {"city": "上海"}

    def test_shows_no_whole_account_number(self) -> None:
        account = BankAccountFactory()
        for format in ("csv", "xlsx"):
            export = ask(staff("operator"), "bank-accounts", format)
            exports.write(export_id=export.id, at=NOON)
            _export, pieces = exports.read(export_id=export.id, user=export.requested_by, at=NOON)
            content = b"".join(pieces)
            if format == "xlsx":
                with zipfile.ZipFile(io.BytesIO(content)) as archive:
                    content = b"".join(archive.read(name) for name in archive.namelist())
            assert account.number_masked.encode() in content
            assert account.number.encode() not in content
        assert account.number_masked == fetched_number(account.merchant_id)

    def test_is_written_once_however_often_it_is_told(self) -> None:
        export = ask(staff("operator"))

        for _ in range(3):
            exports.write(export_id=export.id, at=NOON)

        assert Job.objects.filter(kind=exports.JOB).count() == 1
        assert FileExportPart.objects.count() == 1

    def test_is_for_its_owner_alone_and_while_he_holds_the_right(self) -> None:
        owner = staff("operator")
        export = ask(owner)
        exports.write(export_id=export.id, at=NOON)

        with pytest.raises(NotFound):
            exports.read(export_id=export.id, user=staff("operator"), at=NOON)
        owner.groups.clear()
        with pytest.raises(Forbidden):
            exports.read(export_id=export.id, user=User.objects.get(pk=owner.pk), at=NOON)

    def test_is_not_written_for_who_lost_the_right(self) -> None:
        owner = staff("operator")
        export = ask(owner)
        owner.groups.clear()

        exports.write(export_id=export.id, at=NOON)

        export.refresh_from_db()
        assert (export.state, export.message) == ("FAILED", exports.NO_RIGHT)

    @pytest.mark.parametrize("role", ["checker", "engineer", "auditor", "reviewer"])
    def test_is_refused_to_who_lacks_the_right(self, role: str) -> None:
        with pytest.raises(Forbidden):
            ask(staff(role))

    def test_is_refused_with_a_filter_or_format_it_has_not(self) -> None:
        for wrong in ({"name": "x"}, {"format": "pdf"}):
            with pytest.raises(exports.FilterMalformed):
                ask(staff("operator"), **wrong)  # type: ignore[arg-type]

    def test_is_deleted_when_its_time_is_over(self) -> None:
        export = ask(staff("operator"))
        exports.write(export_id=export.id, at=NOON)
        late = export.expires_at

        assert exports.expire_due(at=late - timedelta(seconds=1)) == 0
        with pytest.raises(NotFound):
            exports.read(export_id=export.id, user=export.requested_by, at=late)
        assert exports.expire_due(at=late) == 1

        export.refresh_from_db()
        assert (export.state, export.rows) == ("DELETED", Merchant.objects.count() - 1)
        assert not FileExportPart.objects.exists()

    def test_is_limited_in_number_until_one_is_deleted(self) -> None:
        owner = staff("operator")
        made = [ask(owner) for _ in range(exports.MOST_OPEN)]
        with pytest.raises(exports.TooManyExports):
            ask(owner)

        exports.delete(export_id=made[0].id, user=owner, at=NOON)

        ask(owner)
        exports.write(export_id=made[0].id, at=NOON)  # the message comes after all
        assert not FileExportPart.objects.exists()

    def test_stops_where_a_person_asks_for_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        MerchantFactory()
        export = ask(staff("operator"))
        monkeypatch.setattr(jobs, "cancel_requested", lambda job_id: True)

        exports.write(export_id=export.id, at=NOON)

        export.refresh_from_db()
        assert (export.state, export.message) == ("FAILED", exports.CANCELLED)
        assert Job.objects.get(kind=exports.JOB).state == "CANCELLED"

    def test_says_that_there_are_too_many_rows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exports, "MOST_ROWS", 1)
        MerchantFactory.create_batch(2)
        export = ask(staff("operator"))

        exports.write(export_id=export.id, at=NOON)

        export.refresh_from_db()
        assert (export.state, export.message) == ("FAILED", exports.TOO_MANY)

    def test_cannot_be_altered_by_raw_sql(self) -> None:
        export = ask(staff("operator"))
        exports.write(export_id=export.id, at=NOON)
        every = FileExport.objects.filter(id=export.id)

        for change in (
            {"rows": 9},
            {"filter": {"city": "x"}},
            {"requested_by": staff("operator")},
            {"state": "REQUESTED"},
            {"downloads": -1},
            {"state": "DELETED", "closed_at": NOON},  # while its file is there
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                every.update(**change)
        with pytest.raises(IntegrityError), transaction.atomic():
            FileExportPart.objects.update(position=1)

    def test_lies_encrypted(self) -> None:
        MerchantFactory(merchant_no="E1", name="湖畔茶业")
        export = ask(staff("operator"))
        exports.write(export_id=export.id, at=NOON)

        with connection.cursor() as cursor:
            cursor.execute("SELECT content FROM foundation_file_export_part")
            lying = b"".join(bytes(content) for (content,) in cursor.fetchall())

        assert "湖畔茶业".encode() not in lying
        assert any("湖畔茶业" in row for row in fetched(export))

    @pytest.mark.parametrize("way", ["changed", "shortened", "swapped"])
    def test_that_somebody_tampered_with_is_not_handed_out(
        self, way: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(pieces, "SIZE", 100)
        MerchantFactory.create_batch(5)
        one, other = ask(staff("operator")), ask(staff("operator"))
        for each in (one, other):
            exports.write(export_id=each.id, at=NOON)
        before, after = (list(each.parts.order_by("position")) for each in (one, other))
        statement = "UPDATE foundation_file_export_part SET content = %s WHERE id = %s"
        with connection.cursor() as cursor:
            if way == "changed":
                cursor.execute(
                    "UPDATE foundation_file_export_part"
                    " SET content = set_byte(content, 40, get_byte(content, 40) # 1) WHERE id = %s",
                    [before[1].id],
                )
            elif way == "shortened":
                cursor.execute(
                    "DELETE FROM foundation_file_export_part WHERE id = %s", [before[-1].id]
                )
            else:
                cursor.execute(statement, [bytes(after[1].__dict__["content"]), before[1].id])

        with pytest.raises(exports.ExportDamaged):
            exports.read(export_id=one.id, user=one.requested_by, at=NOON)

        assert AuditEvent.objects.filter(action="file.damaged", object_id=str(one.id)).exists()
        assert "damaged" in caplog.text
        assert len(fetched(other)) == 6


class TestALongExport:
    @pytest.mark.parametrize("format", ["csv", "xlsx"])
    def test_of_20000_rows_takes_little_memory_and_few_queries(self, format: str) -> None:
        Merchant.objects.bulk_create(
            [
                Merchant(merchant_no=f"L{n:06d}", name="店" * 60, city="上海", created_at=NOON)
                for n in range(20_000)
            ],
            batch_size=5_000,
        )
        export = ask(staff("operator"), format=format)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        with CaptureQueriesContext(connection) as seen:
            exports.write(export_id=export.id, at=NOON)

        export.refresh_from_db()
        assert export.rows == Merchant.objects.exclude(kind="HOUSE").count() >= 20_000
        assert len(seen) < 250
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024


def fetched_number(merchant_id: int) -> str:
    export = FileExport.objects.get(format="csv")
    header, row = fetched(export)
    return row[header.index("number")]
