-- One entry for each merchant and currency of the chunk, into the ledger's intake (CLR-2):
-- Dr channel_receivable (a slice per channel), Cr merchant_pending net of fees, Cr fee_income.
WITH sums AS MATERIALIZED (
  SELECT c.merchant_id, c.currency, sum(c.amount_minor - c.fee_minor)::bigint AS net,
         sum(c.fee_minor)::bigint AS fee
    FROM pg_temp.clearing_payment c WHERE c.fee_rule_id IS NOT NULL
   GROUP BY c.merchant_id, c.currency
), posting AS (
  SELECT c.merchant_id, c.currency, 'channel_receivable' AS kind, ch.code AS ref_id,
         'clear' AS operation, 'DR' AS side, sum(c.amount_minor)::bigint AS amount
    FROM pg_temp.clearing_payment c JOIN channels_channel ch ON ch.id = c.channel_id
   WHERE c.fee_rule_id IS NOT NULL GROUP BY c.merchant_id, c.currency, ch.code
  UNION ALL
  SELECT merchant_id, currency, 'merchant_pending', '', 'clear', 'CR', net FROM sums
  UNION ALL
  SELECT merchant_id, currency, 'fee_income', '', 'earn', 'CR', fee FROM sums
)
INSERT INTO ledger_intake_posting (call_id, merchant_id, source_kind, source_id, account_id,
       operation, side, amount_minor)
SELECT %(call_id)s, p.merchant_id, 'clearing', %(chunk_id)s || ':' || p.currency, a.id, p.operation,
       p.side, p.amount
  FROM posting p
  JOIN ledger_account a ON a.merchant_id = p.merchant_id AND a.kind = p.kind
   AND a.currency = p.currency AND a.ref_id = p.ref_id
   AND a.ref_kind = CASE p.ref_id WHEN '' THEN '' ELSE 'channel' END
 WHERE p.amount > 0
 ORDER BY p.merchant_id, p.currency, a.id
