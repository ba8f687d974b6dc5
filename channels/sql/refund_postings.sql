-- One entry for each merchant and currency of the chunk: Dr pending, available, debt and what of
-- the fee goes back; Cr channel_receivable (a slice per channel).
WITH posting AS (
  SELECT merchant_id, currency, 'merchant_pending' AS kind, '' AS ref_id, 'refund' AS operation,
         'DR' AS side, sum(from_pending_minor)::bigint AS amount
    FROM pg_temp.clearing_refund GROUP BY 1, 2
  UNION ALL
  SELECT merchant_id, currency, 'merchant_available', '', 'refund', 'DR',
         sum(from_available_minor)::bigint
    FROM pg_temp.clearing_refund GROUP BY 1, 2
  UNION ALL
  SELECT merchant_id, currency, 'merchant_debt', '', 'owe', 'DR', sum(to_debt_minor)::bigint
    FROM pg_temp.clearing_refund GROUP BY 1, 2
  UNION ALL
  SELECT merchant_id, currency, 'fee_income', '', 'give_back', 'DR', sum(fee_returned_minor)::bigint
    FROM pg_temp.clearing_refund GROUP BY 1, 2
  UNION ALL
  SELECT r.merchant_id, r.currency, 'channel_receivable', ch.code, 'refund', 'CR',
         sum(r.amount_minor)::bigint
    FROM pg_temp.clearing_refund r JOIN channels_channel ch ON ch.id = r.channel_id GROUP BY 1, 2, 4
)
INSERT INTO ledger_intake_posting (call_id, merchant_id, source_kind, source_id, account_id,
       operation, side, amount_minor)
SELECT %(call_id)s, p.merchant_id, 'refund', %(chunk_id)s || ':' || p.currency, a.id, p.operation,
       p.side, p.amount
  FROM posting p
  JOIN ledger_account a ON a.merchant_id = p.merchant_id AND a.kind = p.kind
   AND a.currency = p.currency AND a.ref_id = p.ref_id
   AND a.ref_kind = CASE p.ref_id WHEN '' THEN '' ELSE 'channel' END
 WHERE p.amount > 0
 ORDER BY p.merchant_id, p.currency, a.id
