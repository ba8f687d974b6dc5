-- One entry per item: the pending account gives its net up (capturing the hold), or takes in what
-- became debt.
INSERT INTO ledger_intake_posting (call_id, merchant_id, source_kind, source_id, account_id,
       operation, side, amount_minor, hold_id)
SELECT %(call_id)s, i.merchant_id, 'settlement', i.run_date || ':' || i.cycle || ':' || i.currency,
       a.id, w.operation, w.side, w.amount, w.hold_id
  FROM settlement_item i
 CROSS JOIN LATERAL (VALUES
         ('merchant_pending', 'settle', 'DR', greatest(0, i.net_minor), i.hold_id),
         ('merchant_pending', 'settle', 'CR', greatest(0, -i.net_minor), NULL),
         ('merchant_debt', 'repay', 'CR', greatest(0, i.to_debt_minor), NULL),
         ('merchant_debt', 'owe', 'DR', greatest(0, -i.to_debt_minor), NULL),
         ('fee_income', 'earn', 'CR', i.surcharge_minor, NULL),
         ('merchant_available', 'settle', 'CR', i.to_available_minor, NULL)
       ) w (kind, operation, side, amount, hold_id)
  JOIN ledger_account a ON a.merchant_id = i.merchant_id AND a.kind = w.kind
                       AND a.currency = i.currency AND a.ref_kind = '' AND a.ref_id = ''
 WHERE i.id = ANY (%(items)s) AND i.state IN ('FROZEN', 'HELD_BACK') AND w.amount > 0
