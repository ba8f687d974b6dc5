"""Two at once on a merchant that changes: one wins, the other is told why, nothing is half done."""

from __future__ import annotations

import pytest

from merchants.models import Application, ApplicationEvidence, Merchant
from merchants.services import application_change as changes
from merchants.services import merchant_state as states
from tests.factories import application_change as make
from tests.factories import merchant_state
from tests.factories.application_change import NEW_NAME
from tests.factories.approval import approve
from tests.racing import at_once


@pytest.fixture
def shop(cloned_db: str) -> Merchant:
    return make.merchant()


def test_one_change_begins_of_several(shop):
    people = [make.somebody() for _ in range(4)]

    ended = at_once(*[lambda who=who: make.begun(shop, who) for who in people])

    assert ended == {"done": 1, changes.AlreadyChanging.__name__: 3}
    assert Application.objects.filter(concerns=shop).count() == 1


def test_one_decision_of_several_puts_it_in_force_once(shop):
    application, approval = make.proposed(shop, make.somebody(), make.somebody())
    checkers = [make.somebody() for _ in range(3)]

    ended = at_once(*[lambda who=who: make.decide(approval, who) for who in checkers])

    assert ended["done"] == 1
    assert make.in_force(shop) == application
    assert ApplicationEvidence.objects.filter(application=application).count() == 1


def test_a_freeze_meanwhile_and_the_change_both_hold(shop):
    _application, approval = make.proposed(shop, make.somebody(), make.somebody())
    freeze = merchant_state.propose(states.FREEZE, shop.merchant_no)
    checker = make.somebody()

    ended = at_once(
        lambda: make.decide(approval, checker), lambda: approve(freeze, at=merchant_state.AT)
    )

    assert ended == {"done": 2}
    shop.refresh_from_db()
    assert (shop.status, shop.name) == ("FROZEN", NEW_NAME)


def test_a_closing_meanwhile_wins_or_comes_after(shop):
    application, approval = make.proposed(shop, make.somebody(), make.somebody())
    close = merchant_state.propose(states.CLOSE, shop.merchant_no)
    checker = make.somebody()

    ended = at_once(
        lambda: make.decide(approval, checker), lambda: approve(close, at=merchant_state.AT)
    )

    shop.refresh_from_db()
    application.refresh_from_db()
    approval.refresh_from_db()
    assert shop.status == "CLOSING"
    if ended == {"done": 2}:
        assert (shop.stands_on, application.state) == (application.id, "APPROVED")
    else:
        assert ended == {"done": 1, changes.TakesNoChange.__name__: 1}
        assert (approval.state, application.state) == ("PROPOSED", "FIRST_REVIEW")
        assert shop.stands_on != application.id
