"""The watch: each stage is told once, what follows is proposed, and a person decides."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from foundation import clock
from foundation.models import Approval, Job, OutboxMessage
from foundation.services import approval as approvals
from foundation.services import job as jobs
from foundation.services.job import JobRunning
from merchants.models import Application, Merchant, Paper, PaperNotice
from merchants.models.paper import Stage
from merchants.services import merchant_state as states
from merchants.services import paper as paper_service
from merchants.services import paper_watch as watch
from tests.factories import merchant_state
from tests.factories import paper as papers
from tests.factories.merchants import MerchantFactory

END = date(2026, 6, 30)  # of the licence
OVER = END + timedelta(days=31)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


def run(day: date) -> watch.Outcome:
    return watch.run(on_date=day, at=noon(day))


def merchant(**more: object) -> Merchant:
    return papers.approved(licence_until=END, **more)


def stages(of: Merchant) -> list[str]:
    found = PaperNotice.objects.filter(merchant=of).order_by("id")
    return [f"{notice.paper.kind} {notice.stage}" for notice in found.select_related("paper")]


def letters() -> int:
    return OutboxMessage.objects.filter(kind=watch.LETTER).count()


def open_proposals(action: str = states.RESTRICT) -> list[Approval]:
    return list(Approval.objects.filter(action=action, state="PROPOSED"))


@pytest.mark.django_db
class TestWarnings:
    def test_come_once_at_each_stage(self):
        one = merchant()

        for left in (61, 60, 59, 30, 29, 7, 1, 0, -1, -30, -31, -32):
            run(END - timedelta(days=left))

        assert stages(one) == [f"LICENCE {stage}" for stage in Stage]
        assert letters() == 5

    def test_leave_out_stages_that_were_missed(self):
        one = merchant()

        done = run(END - timedelta(days=3))

        assert stages(one) == ["LICENCE DAYS_7"]
        assert dict(done.warned) == {"DAYS_7": 1}

    def test_of_a_re_review_go_to_us_alone(self):
        one = papers.approved(risk_grade=3)

        run(date(2027, 3, 2))

        assert stages(one) == ["REVIEW END"]
        assert letters() == 0

    def test_are_not_written_for_a_merchant_that_leaves(self):
        one = merchant()
        merchant_state.stand(one.id, "CLOSING")

        run(END)

        assert stages(one) == []


def renew(superuser: psycopg.Connection, of: Merchant, until: date, *, on: date) -> None:
    """Put a merchant on another approved application, as the approval of a change of it does."""
    other = papers.approved(licence_until=until, at=noon(on))
    application = Application.objects.get(became=other)
    superuser.execute("DELETE FROM merchants_paper WHERE merchant_id = %s", [other.id])
    spare = MerchantFactory()
    statement = "UPDATE merchants_application SET became_id = %s WHERE became_id = %s"
    superuser.execute(statement, [spare.id, of.id])
    superuser.execute(statement, [of.id, other.id])
    with transaction.atomic():
        paper_service.take_up(application, merchant=of, at=noon(on))


class TestARenewal:
    def test_supersedes_the_papers_and_begins_the_warnings_anew(self, superuser):
        one = merchant()
        run(END)

        renew(superuser, one, date(2026, 8, 1), on=END)
        run(END + timedelta(days=1))

        assert stages(one) == ["LICENCE END", "LICENCE DAYS_60"]
        assert Paper.objects.filter(merchant=one, superseded_by=None).count() == 4
        assert Paper.objects.filter(merchant=one).count() == 8
        assert OutboxMessage.objects.filter(kind=paper_service.LOOK, merchant=one).count() == 1

    def test_takes_back_what_was_proposed_and_waits(self, superuser):
        one = merchant()
        run(OVER)
        renew(superuser, one, date(2030, 8, 1), on=OVER)

        done = watch.look(on_date=OVER, at=noon(OVER), merchant_id=one.id)

        assert done.withdrawn == [one.merchant_no]
        assert Approval.objects.get(action=states.RESTRICT).state == "WITHDRAWN"

    def test_has_the_restoring_proposed_of_whom_the_watch_restricted(self, superuser):
        one = merchant()
        run(OVER)
        papers.agree(open_proposals()[0], at=noon(OVER))
        assert run(OVER + timedelta(days=1)).to_restore == []
        renew(superuser, one, date(2030, 8, 1), on=OVER)

        done = watch.look(on_date=OVER, at=noon(OVER), merchant_id=one.id)

        assert done.to_restore == [one.merchant_no]
        papers.agree(open_proposals(states.RESTORE)[0], at=noon(OVER))
        one.refresh_from_db()
        assert one.status == "ACTIVE"


@pytest.mark.django_db
class TestGraceThatIsOver:
    def test_proposes_to_restrict_and_restricts_nobody_by_itself(self):
        one = merchant()

        run(OVER - timedelta(days=1))
        assert open_proposals() == []
        done = run(OVER)

        (proposal,) = open_proposals()
        assert done.to_restrict == [one.merchant_no]
        assert proposal.subject == f"merchant:{one.id}"
        assert "2026-06-30" in proposal.reason
        one.refresh_from_db()
        assert one.status == "ACTIVE"

    def test_is_decided_by_one_person_of_ours(self):
        one = merchant()
        run(OVER)

        papers.agree(open_proposals()[0], at=noon(OVER))

        one.refresh_from_db()
        assert one.status == "RESTRICTED"
        assert run(OVER + timedelta(days=1)).to_restrict == []

    def test_is_proposed_once_while_it_is_open(self):
        merchant()
        run(OVER)

        assert run(OVER + timedelta(days=1)).to_restrict == []
        assert len(open_proposals()) == 1

    def test_rests_two_weeks_after_somebody_refused(self):
        one = merchant()
        run(OVER)
        papers.agree(open_proposals()[0], at=noon(OVER), approve=False)

        assert run(OVER + timedelta(days=13)).to_restrict == []
        assert run(OVER + timedelta(days=15)).to_restrict == [one.merchant_no]

    def test_of_a_contract_or_a_re_review_restricts_nobody(self):
        papers.approved(contract_until=END, risk_grade=3)

        run(date(2027, 12, 31))

        assert open_proposals() == []

    def test_gives_an_identity_paper_ninety_days(self):
        one = papers.approved(identity_until=END)

        assert run(END + timedelta(days=90)).to_restrict == []
        assert run(END + timedelta(days=91)).to_restrict == [one.merchant_no]

    def test_leaves_alone_who_is_restricted_or_frozen_already(self):
        one, other = merchant(), merchant()
        merchant_state.stand(one.id, "FROZEN")
        merchant_state.stand(other.id, "RESTRICTED")

        run(OVER)

        assert open_proposals() == []

    def test_does_not_restore_whom_a_person_restricted(self):
        one = papers.approved()
        merchant_state.stand(one.id, "RESTRICTED")

        assert run(END).to_restore == []

    def test_is_limited_to_so_many_proposals_of_one_run_longest_over_first(self, monkeypatch):
        monkeypatch.setattr(watch, "MOST_PROPOSALS", 1)
        monkeypatch.setattr(watch.standing, "__kwdefaults__", {"merchant_id": None, "most": 1})
        later = papers.approved(licence_until=END + timedelta(days=1))
        first = merchant()
        day = OVER + timedelta(days=5)

        assert [run(day).to_restrict for _turn in range(3)] == [
            [first.merchant_no], [later.merchant_no], [],
        ]  # fmt: skip


@pytest.mark.django_db
class TestTheWatchman:
    def test_cannot_sign_in_and_holds_no_right(self):
        account = watch.watchman()

        assert not account.is_active
        assert not account.has_usable_password()
        assert not account.is_staff
        assert account.get_all_permissions() == set()
        assert watch.watchman() == account

    def test_decides_on_nothing(self):
        merchant()
        run(OVER)
        proposal = open_proposals()[0]

        with pytest.raises(approvals.SelfApprovalForbidden):
            approvals.decide(
                approval_id=proposal.id, merchant_id=proposal.merchant_id,
                checker=watch.watchman(), approve=True, reason="",
                seen_sha256=proposal.content_sha256, at=noon(OVER),
            )  # fmt: skip


class TestARun:
    def test_goes_on_where_it_was_killed(self, cloned_db, monkeypatch):
        several = [merchant() for _n in range(4)]
        monkeypatch.setattr(watch, "CHUNK", 2)
        advance = jobs.advance

        def die(*args: object, **kwargs: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(watch.jobs, "advance", die)
        with pytest.raises(KeyboardInterrupt):
            run(END)
        assert (PaperNotice.objects.count(), letters()) == (2, 2)
        with pytest.raises(JobRunning):
            run(END)
        Job.objects.update(lease_expires_at=clock.now() - timedelta(days=400))
        monkeypatch.setattr(watch.jobs, "advance", advance)

        run(END)

        assert [stages(one) for one in several] == [["LICENCE END"]] * 4
        assert letters() == 4

    def test_and_another_at_once_tell_each_thing_once(self, cloned_db, monkeypatch):
        several = [merchant() for _n in range(6)]
        monkeypatch.setattr(watch, "CHUNK", 2)

        def warn(_n: int) -> int:
            done = watch.Outcome()
            try:
                while watch._warn(OVER, done):
                    pass
                watch.look(on_date=OVER, at=noon(OVER), done=done)
            finally:
                connections.close_all()
            return done.warned.total() + 100 * len(done.to_restrict)

        with ThreadPoolExecutor(4) as pool:
            told = sum(pool.map(warn, range(4)))

        assert told == 606
        assert [stages(one) for one in several] == [["LICENCE OVER"]] * 6
        assert (letters(), len(open_proposals())) == (6, 6)

    def test_over_ten_thousand_merchants_asks_few_questions(self, superuser, monkeypatch):
        one = merchant()
        superuser.execute(
            "INSERT INTO merchants_merchant (merchant_no, kind, name, registration_no, city,"
            " region, country, status, declared_schedule, created_at)"
            " SELECT 'P' || n, 'MERCHANT', 'P' || n, '', '', '', 'CN', 'ACTIVE', 'T1', now()"
            " FROM generate_series(1, 10000) n"
        )
        superuser.execute(
            "INSERT INTO merchants_paper (merchant_id, kind, line_no, about, valid_until,"
            " application_book, application_id, taken_on, actor, request_id)"
            " SELECT m.id, p.kind, p.line_no, p.about, p.valid_until, p.application_book,"
            " p.application_id, p.taken_on, '', '' FROM merchants_paper p, merchants_merchant m"
            " WHERE p.merchant_id = %s AND m.merchant_no LIKE 'P%%'",
            [one.id],
        )
        with CaptureQueriesContext(connection) as asked:
            done = run(END)

        assert done.warned.total() == 10_001
        assert len(asked) < 100
        with CaptureQueriesContext(connection) as asked:
            assert run(END + timedelta(days=1)).warned.total() == 0
        assert len(asked) < 15
