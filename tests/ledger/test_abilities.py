"""Every cell of account kind x operation x side: what has a row posts, all else is refused (X6)."""

from __future__ import annotations

import pytest
from django.db import transaction

from foundation import sql
from ledger import chart, errors
from ledger.models import Ability, AccountKind, Hold, JournalEntry
from ledger.services import account as accounts
from ledger.services import hold as holds
from ledger.services import journal
from merchants.services import house
from tests.factories.ledger import book

pytestmark = pytest.mark.django_db

_FORBIDDEN = """
DO $$
DECLARE
  v_cell    record;
  v_constraint text;
BEGIN
  CREATE TEMP TABLE refused (kind text, operation text, side text, constraint_name text);
  FOR v_cell IN
    SELECT k.kind, a.id AS account_id, o.operation, s.side, z.id AS partner_id, a.merchant_id
      FROM ledger_account_kind k
      JOIN ledger_account a ON a.merchant_id = %(house)s AND a.kind = k.kind AND a.ref_id = ''
      JOIN ledger_account z ON z.merchant_id = %(house)s AND z.kind = 'suspense' AND z.ref_id = 'z'
     CROSS JOIN (SELECT DISTINCT operation FROM ledger_ability UNION SELECT 'steal') o
     CROSS JOIN (VALUES ('DR'), ('CR')) s (side)
     WHERE NOT EXISTS (SELECT FROM ledger_ability b WHERE b.account_kind = k.kind
                          AND b.operation = o.operation AND b.side = s.side)
  LOOP
    BEGIN
      PERFORM ledger_post(v_cell.merchant_id, 'cell',
        v_cell.kind || v_cell.operation || v_cell.side, ARRAY[v_cell.account_id, v_cell.partner_id],
        ARRAY[v_cell.operation, 'park'],
        ARRAY[v_cell.side, CASE v_cell.side WHEN 'DR' THEN 'CR' ELSE 'DR' END],
        ARRAY[1, 1], NULL, NULL, NULL, '', 'test', '');
      INSERT INTO refused VALUES (v_cell.kind, v_cell.operation, v_cell.side, 'POSTED');
    EXCEPTION WHEN foreign_key_violation THEN
      GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
      INSERT INTO refused VALUES (v_cell.kind, v_cell.operation, v_cell.side, v_constraint);
    END;
  END LOOP;
END $$
"""


def _other(side: str) -> str:
    return "CR" if side == "DR" else "DR"


def _accounts_of_every_kind() -> dict[str, int]:
    """Open an account of every kind in the house's book, with money in those that can run short."""
    merchant_id = house.house().id
    opened = {
        kind.kind: accounts.open_slice(merchant_id=merchant_id, kind=kind.kind, currency="CNY")
        for kind in AccountKind.objects.all()
    }
    balance = accounts.open_slice(
        merchant_id=merchant_id, kind="suspense", currency="CNY", ref_kind="test", ref_id="z"
    )
    for kind in AccountKind.objects.filter(never_negative=True):
        growing = Ability.objects.filter(account_kind=kind, side=kind.normal_side)
        operation = growing.exclude(operation="reverse").values_list("operation", flat=True)[0]
        journal.post(
            merchant_id=merchant_id,
            source_kind="fund",
            source_id=kind.kind,
            postings=[
                journal.NewPosting(opened[kind.kind], operation, kind.normal_side, 100),
                journal.NewPosting(balance, "park", _other(kind.normal_side), 100),
            ],
        )
    return opened | {"": balance}


class TestAbilities:
    def test_are_the_shipped_chart_row_by_row(self) -> None:
        stored = set(Ability.objects.values_list("account_kind", "operation", "side"))

        assert stored == {cell[:3] for cell in chart.cells()}
        assert len(chart.cells()) == len(stored)
        assert not Ability.objects.filter(legal_source="").exists()

    def test_post_in_every_allowed_cell(self) -> None:
        opened = _accounts_of_every_kind()
        merchant_id = house.house().id
        cells = [cell for cell in chart.cells() if cell.operation != "reverse"]

        for cell in cells:
            journal.post(
                merchant_id=merchant_id,
                source_kind="cell",
                source_id="/".join(cell[:3]),
                postings=[
                    journal.NewPosting(opened[cell.account_kind], cell.operation, cell.side, 1),
                    journal.NewPosting(opened[""], "park", _other(cell.side), 1),
                ],
            )

        assert JournalEntry.objects.filter(source_kind="cell").count() == len(cells)

    def test_refuse_every_other_cell(self) -> None:
        _accounts_of_every_kind()

        sql.execute(_FORBIDDEN.replace("%(house)s", str(house.house().id)))

        refused = {
            (row["kind"], row["operation"], row["side"]): row["constraint_name"]
            for row in sql.rows("SELECT * FROM refused")
        }
        operations = {cell.operation for cell in chart.cells()} | {"steal"}
        every = {(k.kind, o, s) for k in chart.KINDS for o in operations for s in ("DR", "CR")}
        assert set(refused) == every - {cell[:3] for cell in chart.cells()}
        assert len(refused) > 1_000
        assert set(refused.values()) == {"posting_ability_fk"}
        assert not JournalEntry.objects.filter(source_kind="cell").exists()

    @pytest.mark.parametrize("side", ["DR", "CR"])
    def test_allow_a_reverse_only_where_an_entry_is_named(self, side: str) -> None:
        opened = _accounts_of_every_kind()

        for kind in chart.KINDS:
            with pytest.raises(errors.NotAMirror), transaction.atomic():
                journal.post(
                    merchant_id=house.house().id,
                    source_kind="cell",
                    source_id=kind.kind,
                    postings=[
                        journal.NewPosting(opened[kind.kind], "reverse", side, 1),
                        journal.NewPosting(opened[""], "reverse", _other(side), 1),
                    ],
                )

    @pytest.mark.parametrize(
        "kind", ["merchant_pending", "merchant_reserve", "merchant_margin", "prepaid_card"]
    )
    def test_refuse_a_withdrawal_from_anything_but_available_when_its_hold_is_opened(
        self, kind: str
    ) -> None:
        opened = _accounts_of_every_kind()

        with pytest.raises(errors.AbilityRefused), transaction.atomic():
            holds.open_hold(
                merchant_id=house.house().id,
                account_id=opened[kind],
                operation="withdraw",
                amount_minor=1,
                source_kind="test",
                source_id=kind,
            )

        assert not Hold.objects.filter(source_id=kind).exists()

    def test_refuse_a_house_account_and_an_unknown_kind_in_a_merchants_book(self) -> None:
        merchant = book()

        for kind in [kind.kind for kind in chart.KINDS if kind.house_only] + ["piggy_bank"]:
            with pytest.raises(errors.AccountRefused), transaction.atomic():
                merchant.account(kind)
