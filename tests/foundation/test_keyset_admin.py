"""Every list of the admin: what it asks of the database, and how deep pages are reached."""

import re
from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.contrib.admin.options import ModelAdmin
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from foundation.admin.keyset import CursorMalformed, Keyset, KeysetAdmin
from foundation.models import Job, User
from ledger.models import Account, Posting
from merchants.models import Merchant
from tests.factories.foundation import UserFactory

AT = datetime(2026, 3, 2, tzinfo=UTC)
ADMINS = sorted(admin.site._registry.values(), key=lambda found: str(found.opts))
KEYSET_ADMINS = [found for found in ADMINS if isinstance(found, KeysetAdmin)]


def address(found: ModelAdmin) -> str:
    return reverse(f"admin:{found.opts.app_label}_{found.opts.model_name}_changelist")


@pytest.fixture
def staff(db) -> Client:
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True, language="en"))
    return client


def within_a_book(found: ModelAdmin) -> dict[str, str]:
    """Choose a merchant where the list has merchants."""
    names = {spec.parameter_name for spec in found.list_filter}
    return {"merchant_no": "HOUSE"} if "merchant_no" in names else {}


def queries(client: Client, url: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return [query["sql"] for query in captured]


class TestEveryList:
    @pytest.mark.parametrize("found", ADMINS, ids=lambda found: str(found.opts))
    def test_opens_and_changes_nothing(self, staff, found):
        page = staff.get(address(found))

        assert page.status_code == 200
        assert not found.has_add_permission(page.wsgi_request)
        assert not found.has_change_permission(page.wsgi_request)
        assert not found.has_delete_permission(page.wsgi_request)

    def test_has_an_index_where_it_has_one_of_an_expression_for_every_row(self, db):
        """PostgreSQL keeps no figures of an expression under a condition, and then guesses."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT indexrelid::regclass::text FROM pg_index"
                " WHERE indexprs IS NOT NULL AND indpred IS NOT NULL"
            )
            assert cursor.fetchall() == []

    @pytest.mark.parametrize("found", KEYSET_ADMINS, ids=lambda found: str(found.opts))
    def test_neither_counts_nor_skips(self, staff, found):
        page = address(found)
        for statement in queries(staff, page) + queries(staff, f"{page}?_facets=True"):
            assert "count(" not in statement.lower()
            assert "offset" not in statement.lower()

    @pytest.mark.parametrize("found", KEYSET_ADMINS, ids=lambda found: str(found.opts))
    def test_offers_filters_that_answer(self, staff, found):
        for spec in found.list_filter:
            values = getattr(spec, "declared", None) or ("M-1", "1", "2026-03-02", "\0", "x" * 200)
            for value in values:
                query = within_a_book(found) | {spec.parameter_name: value}
                page = staff.get(address(found), query)
                assert page.status_code == 200, (spec.parameter_name, value)

    @pytest.mark.parametrize("found", KEYSET_ADMINS, ids=lambda found: str(found.opts))
    def test_takes_any_text_to_search_for(self, staff, found):
        for text in ("1", "M-1", "' OR 1=1", "\0", "9" * 60, "商户"):
            page = staff.get(address(found), {"q": text} | within_a_book(found))
            assert page.status_code == 200, text

    @pytest.mark.parametrize("found", KEYSET_ADMINS, ids=lambda found: str(found.opts))
    def test_orders_only_by_columns_that_are_never_empty(self, found):
        orders = [found.keyset]
        for spec in found.list_filter:
            orders.append(getattr(spec, "order", None))
            orders.extend(choice.order for choice in getattr(spec, "declared", {}).values())

        assert all(order.fields(found.model) for order in orders if order is not None)


class TestCursor:
    def test_comes_back_as_the_same_key(self, db):
        keyset = Keyset("-started_at", "-id")
        job = Job(id=7, started_at=datetime(2026, 3, 2, 1, 2, 3, 456789, tzinfo=UTC))

        assert keyset.decode(Job, keyset.encode(job)) == [job.started_at, 7]

    @pytest.mark.parametrize(
        "text",
        ["", "!", "bm90IGpzb24", "W10", "WzEsMiwzXQ", "WyJ4Iiw3XQ", "W251bGwsbnVsbF0", "x" * 600,
         "WyIyMDI2LTAzLTAyIiw5OTk5OTk5OTk5OTk5OTk5OTk5OTk5XQ"],
    )  # fmt: skip
    def test_refuses_what_is_not_one(self, text):
        with pytest.raises(CursorMalformed):
            Keyset("-started_at", "-id").decode(Job, text)

    def test_leads_back_to_the_top_when_it_is_broken(self, staff):
        page = staff.get(reverse("admin:foundation_job_changelist"), {"after": "!"}, follow=True)

        assert page.status_code == 200
        assert "names no place in this list" in page.content.decode()

    def test_needs_one_direction(self):
        with pytest.raises(ImproperlyConfigured):
            Keyset("-started_at", "id")

    def test_needs_columns_that_are_never_empty(self):
        with pytest.raises(ImproperlyConfigured):
            Keyset("-finished_at", "-id").fields(Job)


class TestPages:
    @pytest.fixture
    def jobs(self, db) -> list[int]:
        made = [
            Job(kind="k", key=str(n), state="DONE", lease_seconds=1, lease_expires_at=AT,
                started_at=AT, actor="a", request_id="r")
            for n in range(120)
        ]  # fmt: skip
        return [job.id for job in reversed(Job.objects.bulk_create(made))]

    def test_walk_through_every_row_once_and_back(self, staff, jobs):
        url, seen, pages = reverse("admin:foundation_job_changelist"), [], []
        while url:
            changes = staff.get(url).context["cl"]
            seen += [job.id for job in changes.result_list]
            pages.append([job.id for job in changes.result_list])
            url = changes.next_url and reverse("admin:foundation_job_changelist") + changes.next_url
        back = staff.get(reverse("admin:foundation_job_changelist") + changes.previous_url).context[
            "cl"
        ]

        assert seen == jobs
        assert [len(page) for page in pages] == [50, 50, 20]
        assert [job.id for job in back.result_list] == pages[1]

    def test_begin_again_at_the_top_when_a_filter_is_chosen(self, staff, jobs):
        first = staff.get(reverse("admin:foundation_job_changelist")).context["cl"]
        second = staff.get(reverse("admin:foundation_job_changelist") + first.next_url)

        assert "after=" not in second.context["cl"].get_query_string({"state": "running"})

    def test_say_when_nothing_is_there(self, staff):
        page = staff.get(reverse("admin:foundation_job_changelist")).content.decode()

        assert "No results found" in page


class TestTwoHundredThousandPostings:
    ROWS = 200_000

    @pytest.fixture
    def postings(self, superuser) -> None:
        """A book of so many rows, put in by one statement with the guards off."""
        superuser.execute(
            "INSERT INTO merchants_merchant (merchant_no, kind, name, registration_no, city,"
            " region, country, status, declared_schedule, created_at)"
            " SELECT 'BIG-' || n, 'MERCHANT', 'm', '', '', '', 'CN', 'ACTIVE', 'T1', now()"
            " FROM generate_series(1, 20) n"
        )
        superuser.execute(
            "INSERT INTO ledger_account (id, merchant_id, kind, currency, ref_kind, ref_id,"
            " normal_side, never_negative, balance, held, seq, opened_at)"
            " SELECT id, id, 'merchant_pending', 'CNY', '', '', 'CR', true, 0, 0, 0, now()"
            " FROM merchants_merchant WHERE merchant_no LIKE 'BIG-%'"
        )
        superuser.execute(
            "INSERT INTO ledger_posting (merchant_id, entry_id, account_id, account_kind, currency,"
            " operation, side, amount_minor, seq, balance_after, posted_at, booked_at, xid8)"
            " SELECT m.id, n, m.id, 'merchant_pending', 'CNY', 'clear', 'CR', 1, n, n, now(),"
            f" now(), '1'::xid8 FROM generate_series(1, {self.ROWS}) n"
            " JOIN merchants_merchant m ON m.merchant_no = 'BIG-' || (n % 20 + 1)"
        )
        superuser.execute("ANALYZE ledger_posting")

    def test_cost_the_same_at_any_depth(self, cloned_db, postings):
        client, url = Client(), reverse("admin:ledger_posting_changelist")
        client.force_login(UserFactory(is_staff=True, is_superuser=True, language="en"))
        book = Merchant.objects.get(merchant_no="BIG-3")
        newest, oldest = Posting.objects.order_by("-id")[0], Posting.objects.order_by("id")[150]
        addresses = [
            url,
            url + "?after=" + Keyset("-id").encode(newest),
            url + "?after=" + Keyset("-id").encode(oldest),
            url + "?before=" + Keyset("-id").encode(oldest),
            url + f"?merchant_no={book.merchant_no}",
            url + f"?merchant_no={book.merchant_no}&account={book.id}",
            url + f"?q={oldest.id}",
        ]
        counts = []
        for place in addresses:
            statements = queries(client, place)
            counts.append(len(statements))
            for statement in statements:
                assert "count(" not in statement.lower()
                assert "offset" not in statement.lower()
            self.reads_few_rows(statements)

        assert counts[0] == counts[1] == counts[2] == counts[3]
        assert max(counts) <= counts[0] + 3

    @staticmethod
    def reads_few_rows(statements: list[str]) -> None:
        """Explain what each page asks of the postings: an index, and few rows out of it."""
        asked = [one for one in statements if one.startswith("SELECT") and "ledger_posting" in one]
        assert asked
        for statement in asked:
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN (ANALYZE, FORMAT TEXT) " + statement.replace("%", "%%"))
                plan = "\n".join(row[0] for row in cursor.fetchall())
            read = [int(float(rows)) for rows in re.findall(r"actual .*?rows=([\d.]+)", plan)]
            assert "Index" in plan, plan
            assert "Seq Scan on ledger_posting" not in plan, plan
            assert max(read) <= 1000, plan


class TestRights:
    def test_lists_are_shut_to_who_has_no_right(self, db):
        client = Client()
        client.force_login(UserFactory(is_staff=True, language="en"))

        assert {client.get(address(found)).status_code for found in ADMINS} == {403}

    def test_a_merchants_person_is_sent_to_the_sign_in(self, db):
        client = Client()
        client.force_login(UserFactory(is_staff=False))

        assert client.get(reverse("admin:index")).status_code == 302

    def test_a_page_of_a_row_takes_no_post(self, staff):
        user = User.objects.first()

        assert (
            staff.post(reverse("admin:foundation_user_change", args=[user.pk])).status_code == 403
        )
        assert Account.objects.count() == 0
