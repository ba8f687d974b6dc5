-- Every merchant's money by currency, in one snapshot (SET-11); with merchant_id one merchant's
-- alone. What was paid out and its fees, net of returns, stand on the withdrawals; `verify` proves
-- them against the ledger (P2).
WITH payout AS (
  SELECT w.merchant_id, w.currency, sum(w.paid_minor) AS paid_out,
         sum(w.paid_fee_minor) AS payout_fees
    FROM settlement_withdrawal w
   WHERE %(merchant_id)s::bigint IS NULL OR w.merchant_id = %(merchant_id)s
   GROUP BY w.merchant_id, w.currency
), account AS (
  SELECT a.merchant_id, a.currency,
         sum(a.balance) FILTER (WHERE a.kind = 'merchant_pending') AS pending,
         sum(a.balance - a.held) FILTER (WHERE a.kind = 'merchant_available') AS available,
         sum(a.held) FILTER (WHERE a.kind = 'merchant_available') AS held,
         sum(a.balance) FILTER (WHERE a.kind = 'merchant_reserve') AS reserve,
         sum(a.balance) FILTER (WHERE a.kind = 'merchant_debt') AS debt
    FROM ledger_account a
   WHERE a.kind IN ('merchant_pending', 'merchant_available', 'merchant_reserve', 'merchant_debt')
     AND (%(merchant_id)s::bigint IS NULL OR a.merchant_id = %(merchant_id)s)
   GROUP BY a.merchant_id, a.currency
)
SELECT m.merchant_no, a.currency, coalesce(a.pending, 0)::bigint AS pending,
       coalesce(a.available, 0)::bigint AS available, coalesce(a.held, 0)::bigint AS held,
       coalesce(a.reserve, 0)::bigint AS reserve, coalesce(a.debt, 0)::bigint AS debt,
       coalesce(p.paid_out, 0)::bigint AS paid_out,
       coalesce(p.payout_fees, 0)::bigint AS payout_fees
  FROM account a
  JOIN merchants_merchant m ON m.id = a.merchant_id AND m.kind = 'MERCHANT'
  LEFT JOIN payout p ON p.merchant_id = a.merchant_id AND p.currency = a.currency
 ORDER BY m.merchant_no, a.currency
