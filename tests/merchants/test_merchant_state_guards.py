"""What raw SQL as the product's role cannot do to the state of a merchant."""

from __future__ import annotations

import pytest

from merchants.models import Merchant
from merchants.services import merchant_state as states
from tests.factories import merchant_state as make
from tests.factories.merchants import MerchantFactory
from tests.raw_sql import refused, run

pytestmark = pytest.mark.django_db

MOVE = "UPDATE merchants_merchant SET status = %s, status_sequence = %s WHERE id = %s"
STEP = (
    "INSERT INTO merchants_merchant_transition (merchant_id, sequence, from_status, to_status,"
    " reason, document, approval_book, approval_id, at, actor, request_id)"
    " SELECT m.id, coalesce(m.status_sequence, 0) + 1, m.status, %s, a.reason,"
    "  a.after ->> 'document', a.merchant_id, a.id, coalesce(a.closed_at, now()), '', ''"
    " FROM merchants_merchant m, foundation_approval a WHERE m.id = %s AND a.id = %s"
)


def commit() -> None:
    run("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.fixture
def shop() -> Merchant:
    return MerchantFactory()


def frozen() -> Merchant:
    made: Merchant = MerchantFactory()
    make.stand(made.id, "FROZEN")
    return made


def test_a_state_needs_its_move(shop):
    with refused("merchant_illegal_step"):
        run(MOVE, "FROZEN", None, shop.id)
    with refused("merchant_not_approved"):
        run(MOVE, "FROZEN", 1, shop.id)


@pytest.mark.parametrize("to", ["CLOSED", "ACTIVE", "NONSENSE"])
def test_a_state_moves_along_the_table(shop, to):
    with refused("merchant_illegal_step"):
        run(MOVE, to, 1, shop.id)


def test_a_new_merchant_is_active():
    with refused("merchant_illegal_step"):
        MerchantFactory(status="FROZEN")


def test_a_move_needs_its_approval(shop):
    approval = make.propose(states.FREEZE, shop.merchant_no)
    with refused("merchant_not_approved"):
        run(STEP, "FROZEN", shop.id, approval.id)


def test_an_approval_covers_its_own_list_and_move_only(shop):
    approval = make.move(states.FREEZE, [MerchantFactory().merchant_no])
    with refused("merchant_not_approved"):
        run(STEP, "FROZEN", shop.id, approval.id)
    mine = make.move(states.RESTRICT, [shop.merchant_no])
    for to in ("FROZEN", "ACTIVE", "RESTRICTED"):
        with refused("merchant_not_approved|merchant_step_once"):
            run(STEP, to, shop.id, mine.id)


def test_an_approval_moves_a_merchant_once(shop):
    frozen = make.move(states.FREEZE, [shop.merchant_no])
    make.move(states.RESTORE, [shop.merchant_no])
    with refused("merchant_not_approved|merchant_step_once"):
        run(STEP, "FROZEN", shop.id, frozen.id)


def test_a_frozen_merchant_goes_back_to_where_it_was(shop):
    make.move(states.RESTRICT, [shop.merchant_no])
    make.move(states.FREEZE, [shop.merchant_no])
    with refused("merchant_illegal_step"):
        run(MOVE, "ACTIVE", 3, shop.id)


def test_a_frozen_merchant_is_not_restored_past_its_list(shop):
    make.move(states.FREEZE, [shop.merchant_no])
    restored = make.move(states.RESTORE, [frozen().merchant_no])
    with refused("merchant_not_approved"):
        run(STEP, "ACTIVE", shop.id, restored.id)


def test_a_move_that_is_written_is_made(shop, monkeypatch):
    load = states.sql.load
    lazy = {"merchant_state_move": "SELECT %(book)s"}
    monkeypatch.setattr(states.sql, "load", lambda where, name: lazy.get(name) or load(where, name))
    make.move(states.FREEZE, [shop.merchant_no])
    with refused("merchant_illegal_step: merchant .* did not make"):
        commit()
    run(MOVE, "FROZEN", 1, shop.id)
    commit()


def test_the_history_stays(shop):
    make.move(states.FREEZE, [shop.merchant_no])
    with refused("append.only|permission denied"):
        run("UPDATE merchants_merchant_transition SET reason = 'x'")
    with refused("append.only|permission denied"):
        run("DELETE FROM merchants_merchant_transition")
