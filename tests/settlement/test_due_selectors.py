"""How a due date was found, in sentences."""

from __future__ import annotations

from datetime import date

import pytest
from django.utils import translation

from foundation.services import calendar
from settlement.models import Due
from settlement.selectors import due as dues


def due(code: str, day: date, due_date: date | None, explanation: str = "schedule") -> Due:
    return Due(business_date=day, due_date=due_date, schedule_code=code, explanation=explanation)


@pytest.mark.django_db
class TestExplain:
    @pytest.fixture(autouse=True)
    def _english(self):
        with translation.override("en"):
            yield

    def test_walks_over_the_holidays(self):
        told = dues.explain(due("T1", date(2026, 9, 30), date(2026, 10, 8)))

        assert told.due_date == date(2026, 10, 8)
        assert told.sentences[:2] == (
            "Business date 2026-09-30.", "Schedule T1: 1 working days later.",
        )  # fmt: skip
        assert "2026-10-01 – 2026-10-07" in told.sentences[3]
        assert "2026-10-08" in told.sentences[-1]

    def test_says_that_the_calendar_was_changed_since(self):
        calendar.set_day(
            date(2026, 3, 3), is_business_day=False, name="National Day", source="a test"
        )

        told = dues.explain(due("T1", date(2026, 3, 2), date(2026, 3, 3)))

        assert told.sentences[-1].endswith("the date of then stays: 2026-03-03.")

    @pytest.mark.parametrize(
        ("code", "due_date", "explanation", "sentence"),
        [
            ("D3", date(2026, 3, 5), "schedule", "Schedule D3: 3 calendar days later."),
            ("WEEKLY:5", date(2026, 3, 6), "schedule", "the next Friday after it."),
            ("MONTHLY:15", date(2026, 3, 15), "schedule", "the next day 15 of a month after it."),
            ("MANUAL", None, "manual", "it waits for a person."),
            ("MANUAL", date(2026, 3, 9), "manual", "released for 2026-03-09."),
            ("T1", None, "calendar_year_not_loaded", "until the calendar year is loaded."),
            ("T1", date(2026, 3, 3), "own_payment", "is due with that payment."),
            ("", date(2026, 3, 2), "at_once", "due at once, with the next settlement."),
        ],
    )
    def test_names_every_other_reason(self, code, due_date, explanation, sentence):
        told = dues.explain(due(code, date(2026, 3, 2), due_date, explanation))

        assert told.sentences[-1].endswith(sentence)
