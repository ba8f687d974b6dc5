-- Rows that would refund more than is left of their payment, in the order of time, known ones
-- aside.
INSERT INTO pg_temp.intake_refund_bad
SELECT o.row_no, 'amount', left(o.amount, 200), 'over_refunded',
       round(greatest(o.paid - o.before, 0)::numeric / power(10::numeric, o.exponent), o.exponent)
  FROM (
    SELECT s.row_no, s.amount, f.amount_minor AS paid, currency.exponent,
           {amount_minor} AS asked,
           coalesce(r.total, 0) + sum({amount_minor}) OVER w - {amount_minor} AS before
      FROM pg_temp.intake_refund s
      JOIN pg_temp.intake_refund_found f USING (row_no)
      JOIN {currencies} ON currency.code = s.currency
      LEFT JOIN LATERAL (
        SELECT sum(r.amount_minor)::bigint AS total FROM channels_refund r
         WHERE r.merchant_id = f.merchant_id AND r.payment_id = f.payment_id) r ON true
     WHERE NOT EXISTS (SELECT FROM channels_refund k
                        WHERE k.refund_no = s.refund_no AND k.merchant_id = f.merchant_id)
    WINDOW w AS (PARTITION BY f.merchant_id, f.payment_id
                 ORDER BY s.refunded_at::timestamptz, s.refund_no
                 ROWS UNBOUNDED PRECEDING)) o
 WHERE o.before + o.asked > o.paid
