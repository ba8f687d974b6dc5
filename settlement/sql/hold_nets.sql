-- Lay out one hold per item that has something to settle: its net, on the pending account.
INSERT INTO ledger_intake_hold (call_id, merchant_id, account_id, operation, amount_minor,
       source_kind, source_id, reason, expires_at)
SELECT %(call_id)s, i.merchant_id, a.id, 'settle', i.net_minor, 'settlement',
       i.run_date || ':' || i.cycle || ':' || i.currency, '', NULL
  FROM settlement_item i
  JOIN ledger_account a ON a.merchant_id = i.merchant_id AND a.kind = 'merchant_pending'
                       AND a.currency = i.currency AND a.ref_kind = '' AND a.ref_id = ''
 WHERE i.batch_id = ANY (%(batches)s) AND i.state = 'COLLECTED' AND i.net_minor > 0
