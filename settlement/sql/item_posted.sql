-- The items are booked; one with nothing to book is closed. What was advanced is our risk now.
WITH posted AS (
  UPDATE settlement_item i
     SET state = CASE WHEN i.net_minor = 0 THEN 'CLOSED' ELSE 'POSTED' END,
         entry_id = (SELECT e.id FROM ledger_entry e
                      WHERE e.merchant_id = i.merchant_id AND e.source_kind = 'settlement'
                        AND e.source_id = i.run_date || ':' || i.cycle || ':' || i.currency),
         posted_at = %(at)s,
         closed_at = CASE WHEN i.net_minor = 0 THEN %(at)s::timestamptz END,
         reason = CASE WHEN i.line_count = 0 THEN i.reason ELSE '' END
   WHERE i.id = ANY (%(items)s) AND i.state IN ('FROZEN', 'HELD_BACK')
  RETURNING i.id, i.merchant_id, i.currency, i.advance_minor AS amount
)
INSERT INTO settlement_exposure (merchant_id, item_id, currency, amount_minor, state, opened_at)
SELECT p.merchant_id, p.id, p.currency, p.amount, 'UNFUNDED', %(at)s
  FROM posted p WHERE p.amount > 0
