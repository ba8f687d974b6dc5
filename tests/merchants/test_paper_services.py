"""Papers are taken up with the application they were approved with, and stay as it says them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.db import DatabaseError, transaction

from foundation import sql
from merchants.models import Paper
from merchants.models.paper import LONG_TERM, REVIEW_YEARS, RULES, Kind, Stage, stage_of
from merchants.services import paper as paper_service
from tests.factories import application as factory
from tests.factories import application_change as changes
from tests.factories import paper as papers
from tests.factories.application import AT


def held(merchant) -> dict[str, date]:
    found = Paper.objects.filter(merchant=merchant, superseded_by=None)
    return {paper.kind: paper.valid_until for paper in found}


@pytest.mark.django_db
class TestTakingUp:
    def test_keeps_each_paper_until_when_it_is_valid(self):
        merchant = papers.approved(
            licence_until=date(2027, 5, 1),
            contract_until=date(2028, 1, 31),
            identity_until=date(2033, 5, 31),
        )

        assert held(merchant) == {
            "LICENCE": date(2027, 5, 1),
            "CONTRACT": date(2028, 1, 31),
            "LEGAL_PERSON_ID": date(2033, 5, 31),
            "REVIEW": date(2029, 3, 2),
        }

    def test_says_of_what_has_no_end_that_it_is_long_term(self):
        merchant = papers.approved(licence_until=None, licence_long_term=True)

        found = Paper.objects.get(merchant=merchant, kind="LICENCE")

        assert found.valid_until == LONG_TERM
        assert found.long_term

    def test_watches_a_filing_and_other_owners_too(self):
        owners = [
            factory.OWNER | {"share_percent": 60},
            factory.OWNER | {"line_no": 2, "name": "林", "share_percent": 40,
                             "legal_representative": False, "identity_until": date(2027, 1, 1)},
        ]  # fmt: skip
        application = factory.draft(
            papers.staff(), owners=owners, products=["qr"], filing_no="Z1",
            filing_until=date(2027, 2, 2),
        )  # fmt: skip
        application = factory.applications.submit(
            application_id=application.id, revision=application.revision,
            maker=application.entered_by, at=AT,
        )  # fmt: skip
        papers.agree(papers.propose(application), at=AT)
        application.refresh_from_db()

        found = Paper.objects.filter(merchant=application.became)

        assert set(found.values_list("kind", "line_no", "about", "valid_until")) >= {
            ("FILING", 0, "Z1", date(2027, 2, 2)),
            ("OWNER_ID", 2, "林", date(2027, 1, 1)),
        }

    @pytest.mark.parametrize(
        ("grade", "day"), [(1, date(2029, 3, 2)), (2, date(2028, 3, 2)), (3, date(2027, 3, 2))]
    )
    def test_reckons_the_re_review_from_the_approval_by_risk_grade(self, grade, day):
        merchant = papers.approved(risk_grade=grade)

        assert held(merchant)["REVIEW"] == day
        assert REVIEW_YEARS[grade] == day.year - 2026

    def test_counts_the_day_of_the_institution(self):
        night = datetime(2026, 3, 2, 17, tzinfo=UTC)  # 01:00 of the 3rd in Shanghai

        assert held(papers.approved(at=night))["REVIEW"] == date(2029, 3, 3)


class TestBackFill:
    def test_writes_the_same_papers_once(self, superuser):
        merchant = papers.approved(licence_until=date(2027, 5, 1))
        before = held(merchant)
        superuser.execute("DELETE FROM merchants_paper")
        statement = sql.load("merchants", "paper_back_fill")

        written = [sql.execute(statement, ["Asia/Shanghai", "00:00"]) for _turn in range(2)]

        assert held(merchant) == before
        assert written == [len(before), 0]


class TestStages:
    @pytest.mark.parametrize(
        ("kind", "days_left", "stage"),
        [
            ("LICENCE", 61, None),
            ("LICENCE", 60, Stage.DAYS_60),
            ("LICENCE", 31, Stage.DAYS_60),
            ("LICENCE", 30, Stage.DAYS_30),
            ("LICENCE", 7, Stage.DAYS_7),
            ("LICENCE", 1, Stage.DAYS_7),
            ("LICENCE", 0, Stage.END),
            ("LICENCE", -30, Stage.END),
            ("LICENCE", -31, Stage.OVER),
            ("LEGAL_PERSON_ID", -31, Stage.END),
            ("LEGAL_PERSON_ID", -91, Stage.OVER),
            ("FILING", -1, Stage.OVER),
        ],
    )
    def test_are_reached_by_days_left_and_grace(self, kind, days_left, stage):
        on = date(2026, 6, 1)

        assert stage_of(kind, date.fromordinal(on.toordinal() + days_left), on) == stage

    def test_have_a_rule_for_every_kind(self):
        assert set(RULES) == set(Kind)


@pytest.mark.django_db
class TestTheDatabase:
    def refused(self, reason: str, statement: str, *params: object) -> None:
        with pytest.raises(DatabaseError, match=reason), transaction.atomic():
            sql.execute(statement, params)

    def test_lets_nobody_extend_change_or_delete_a_paper(self):
        merchant = papers.approved()

        for change in (
            "valid_until = '2099-01-01'", "valid_until = valid_until", "kind = 'FILING'",
            "about = 'x'", "superseded_by = NULL", "taken_on = taken_on + 1",
        ):  # fmt: skip
            self.refused("paper_fixed", f"UPDATE merchants_paper SET {change}")
        self.refused("permission|refuse|append", "DELETE FROM merchants_paper")
        self.refused("permission|refuse|append", "TRUNCATE merchants_paper CASCADE")
        assert held(merchant)["LICENCE"] == date(2030, 12, 31)

    def test_takes_no_paper_that_no_application_says(self):
        merchant = papers.approved()
        other = papers.approved()
        application = Paper.objects.filter(merchant=merchant).first().application_id
        insert = (
            "INSERT INTO merchants_paper (merchant_id, kind, line_no, about, valid_until,"
            " application_book, application_id, taken_on, actor, request_id)"
            " SELECT %s, kind, %s, about, valid_until + %s, application_book, application_id,"
            " taken_on + %s, '', '' FROM merchants_paper WHERE merchant_id = %s"
            " AND kind = 'LICENCE'"
        )

        self.refused("paper_not_as_approved|paper_once|paper_one", insert, merchant.id, 5, 9, 0,
                     merchant.id)  # fmt: skip
        self.refused("paper_unapproved", insert, other.id, 5, 0, 0, merchant.id)
        self.refused("paper_unapproved", insert, merchant.id, 5, 0, 300, merchant.id)
        self.refused(
            "paper_superseded_by_nothing|paper_superseded_by_another",
            "UPDATE merchants_paper SET superseded_by = %s WHERE merchant_id = %s",
            application, merchant.id,
        )  # fmt: skip
        foreign = Paper.objects.filter(merchant=other).first().application_id
        self.refused(
            "paper_superseded_by_nothing",
            "UPDATE merchants_paper SET superseded_by = %s WHERE merchant_id = %s",
            foreign, merchant.id,
        )  # fmt: skip

    def test_takes_no_warning_that_is_not_true(self):
        merchant = papers.approved(licence_until=date(2026, 5, 1))
        insert = (
            "INSERT INTO merchants_paper_notice (merchant_id, paper_id, stage, due_date, on_date,"
            " actor, request_id) SELECT merchant_id, id, %s, valid_until + %s, %s, '', ''"
            " FROM merchants_paper WHERE merchant_id = %s AND kind = 'LICENCE'"
        )

        self.refused("paper_notice_untrue", insert, "DAYS_7", 0, "2026-04-01", merchant.id)
        self.refused("paper_notice_untrue", insert, "OVER", 0, "2026-05-01", merchant.id)
        self.refused("paper_notice_untrue", insert, "DAYS_7", 1, "2026-05-01", merchant.id)
        self.refused("paper_notice_stage|untrue", insert, "NEVER", 0, "2026-05-01", merchant.id)


@pytest.mark.django_db
class TestAnApproval:
    @pytest.fixture(autouse=True)
    def _forgets_the_papers(self, monkeypatch):
        self.shop = changes.merchant()
        monkeypatch.setattr(paper_service, "take_up", lambda *_args, **_names: 0)

    def test_takes_up_the_papers_or_is_refused(self):
        papers.approved()

        self._is_refused()

    def test_of_a_change_does_so_too(self):
        _application, approval = changes.proposed(self.shop, changes.somebody(), changes.somebody())
        changes.decide(approval, changes.somebody())

        self._is_refused()

    def _is_refused(self):
        with pytest.raises(DatabaseError, match="paper_left_out"), transaction.atomic():
            sql.execute("SET CONSTRAINTS ALL IMMEDIATE")
        transaction.set_rollback(True)
