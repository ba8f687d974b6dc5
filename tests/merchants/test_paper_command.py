"""`watch_papers` does by hand what the beat does, and looks ahead only without doing."""

from __future__ import annotations

import json
from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from foundation import clock
from foundation.models import Approval
from foundation.services import job as jobs
from merchants import tasks
from merchants.models import PaperNotice
from merchants.services import paper_watch
from tests.factories import paper as papers

pytestmark = pytest.mark.django_db
END = date(2026, 6, 30)


def watch(*words: str) -> Any:
    out = StringIO()
    call_command("watch_papers", "--json", *words, stdout=out)
    return json.loads(out.getvalue())


class TestTheCommand:
    def test_warns_proposes_and_says_what_it_did_once(self):
        one = papers.approved(licence_until=END)

        first, second = watch("--date", "2026-07-31"), watch("--date", "2026-07-31")

        assert first == {
            "warned": {"OVER": 1}, "to_restrict": [one.merchant_no], "to_restore": [],
            "withdrawn": [], "failed": [], "on_date": "2026-07-31", "dry_run": False,
        }  # fmt: skip
        assert (second["warned"], second["to_restrict"]) == ({}, [])

    def test_keeps_nothing_when_it_is_dry(self):
        one = papers.approved(licence_until=END)

        said = watch("--date", "2099-01-01", "--dry-run")

        assert said["warned"]["OVER"] >= 1
        assert said["to_restrict"] == [one.merchant_no]
        assert not PaperNotice.objects.exists()
        assert not Approval.objects.filter(action="merchants.restrict").exists()

    def test_does_nothing_about_a_day_to_come(self):
        with pytest.raises(CommandError) as refused:
            watch("--date", "2099-01-01")

        assert refused.value.returncode == 2

    def test_refuses_while_another_is_at_the_same_day(self):
        jobs.start(paper_watch.JOB, "2026-07-31")

        with pytest.raises(CommandError) as refused:
            watch("--date", "2026-07-31")

        assert refused.value.returncode == 1

    def test_says_it_in_words_too(self):
        papers.approved(licence_until=END)
        out = StringIO()

        call_command("watch_papers", "--date", "2026-06-30", stdout=out)

        assert "1 END" in out.getvalue()


class TestTheTasks:
    def test_do_the_same_and_leave_when_another_is_at_it(self):
        papers.approved(licence_until=END)
        today = clock.business_date(clock.now())
        jobs.start(paper_watch.JOB, today.isoformat())

        tasks.watch_papers()

        assert not PaperNotice.objects.exists()
