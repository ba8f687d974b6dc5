-- Every merchant's money by currency, in one snapshot (SET-11). What was paid out and its fees are read
-- from the journal, net of returns: together what withdrawals took from available and returns gave back.
WITH moved AS (
  SELECT p.merchant_id, p.entry_id, p.currency,
         sum(CASE p.side WHEN 'DR' THEN p.amount_minor ELSE -p.amount_minor END) AS total
    FROM ledger_posting p
   WHERE p.account_kind = 'merchant_available' AND p.operation IN ('withdraw', 'return')
   GROUP BY p.merchant_id, p.entry_id, p.currency
), fee AS (
  SELECT m.merchant_id, m.entry_id, m.currency,
         sum(CASE f.side WHEN 'CR' THEN f.amount_minor ELSE -f.amount_minor END) AS total
    FROM moved m
    JOIN ledger_posting f ON f.merchant_id = m.merchant_id AND f.entry_id = m.entry_id
     AND f.currency = m.currency AND f.account_kind = 'fee_income'
   GROUP BY m.merchant_id, m.entry_id, m.currency
), payout AS (
  SELECT m.merchant_id, m.currency, sum(m.total - coalesce(f.total, 0)) AS paid_out,
         sum(coalesce(f.total, 0)) AS payout_fees
    FROM moved m LEFT JOIN fee f USING (merchant_id, entry_id, currency)
   GROUP BY m.merchant_id, m.currency
), account AS (
  SELECT a.merchant_id, a.currency,
         sum(a.balance) FILTER (WHERE a.kind = 'merchant_pending') AS pending,
         sum(a.balance - a.held) FILTER (WHERE a.kind = 'merchant_available') AS available,
         sum(a.held) FILTER (WHERE a.kind = 'merchant_available') AS held,
         sum(a.balance) FILTER (WHERE a.kind = 'merchant_reserve') AS reserve,
         sum(a.balance) FILTER (WHERE a.kind = 'merchant_debt') AS debt
    FROM ledger_account a
   WHERE a.kind IN ('merchant_pending', 'merchant_available', 'merchant_reserve', 'merchant_debt')
   GROUP BY a.merchant_id, a.currency
)
SELECT m.merchant_no, a.currency, coalesce(a.pending, 0)::bigint AS pending,
       coalesce(a.available, 0)::bigint AS available, coalesce(a.held, 0)::bigint AS held,
       coalesce(a.reserve, 0)::bigint AS reserve, coalesce(a.debt, 0)::bigint AS debt,
       coalesce(p.paid_out, 0)::bigint AS paid_out, coalesce(p.payout_fees, 0)::bigint AS payout_fees
  FROM account a
  JOIN merchants_merchant m ON m.id = a.merchant_id AND m.kind = 'MERCHANT'
  LEFT JOIN payout p ON p.merchant_id = a.merchant_id AND p.currency = a.currency
 ORDER BY m.merchant_no, a.currency
