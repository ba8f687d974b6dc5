"""How far a settlement run is, in the admin."""

from __future__ import annotations

from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from settlement.models import Run
from settlement.services import run as runs
from tests.factories import settlement as dues
from tests.factories.foundation import UserFactory


@pytest.mark.django_db
class TestRuns:
    def page(self) -> str:
        client = Client()
        client.force_login(UserFactory.create(is_staff=True, is_superuser=True, language="en"))
        return client.get(reverse("admin:settlement_run_changelist")).content.decode()

    def test_show_how_many_parts_are_settled(self) -> None:
        for _ in range(3):
            dues.payment(dues.merchant(), 100_00, date(2026, 3, 2))
        started = runs.start(run_date=date(2026, 3, 3), part_size=1)
        assert started is not None
        assert "<span>0 / 3</span>" in self.page()

        runs.settle_part(run_id=started.run.id, part=1, at=dues.NOON)
        assert '<progress class="progress" max="3" value="1">' in self.page()
        assert "<span>1 / 3</span>" in self.page()

        runs.work_inline(run=started.run, at=dues.NOON, notify=lambda done, total: None)
        assert Run.objects.get().state == "DONE"
        assert "<span>3 / 3</span>" in self.page()
