"""The demo leaves traces of staff's work: agents, a merchant being changed, one frozen at once."""

from __future__ import annotations

import pytest

from foundation.models import Approval
from merchants.models import Agent, Application, Merchant
from settlement.demo import traces
from tests.factories.application import AT
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory


@pytest.mark.django_db
def test_every_list_has_something_once() -> None:
    for name in ("operator", "reviewer", "checker", "risk"):
        UserFactory(username=name, is_staff=True, is_superuser=True)
    merchants = [MerchantFactory() for _place in range(13)]

    for _twice in range(2):
        traces.make(merchants, at=AT)

    chain = Agent.objects.order_by("number").values_list("number", "parent__number")
    assert list(chain) == [("CLOUDPOS", None), ("EAST", None), ("EAST-HZ", "EAST")]
    brought = Merchant.objects.exclude(agent=None).values_list("agent__number", flat=True)
    assert sorted(brought) == ["CLOUDPOS", "CLOUDPOS", "EAST-HZ", "EAST-HZ", "EAST-HZ"]
    found = Application.objects.order_by("id").values_list("kind", "state")
    assert list(found) == [("OPENING", "APPROVED"), ("CHANGE", "SUBMITTED")]
    waits = Approval.objects.filter(state="PROPOSED").order_by("id")
    assert [one.action for one in waits] == ["merchants.agent_assign", "merchants.emergency"]
    merchants[-1].refresh_from_db()
    assert merchants[-1].status == "FROZEN"
