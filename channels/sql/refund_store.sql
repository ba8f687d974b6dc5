-- The staged refunds that are not known yet, each behind what was refunded of its payment before.
WITH stored AS (
  INSERT INTO channels_refund (merchant_id, refund_no, payment_id, amount_minor, currency,
         refunded_at, business_date, refunded_before_minor, intake_id)
  SELECT f.merchant_id, s.refund_no, f.payment_id, {amount_minor}, s.currency,
         s.refunded_at::timestamptz,
         ((s.refunded_at::timestamptz AT TIME ZONE %(zone)s) - %(cut_off)s::interval)::date,
         coalesce(r.total, 0) + sum({amount_minor}) OVER w - {amount_minor}, %(intake_id)s
    FROM pg_temp.intake_refund s
    JOIN pg_temp.intake_refund_found f USING (row_no)
    JOIN {currencies} ON currency.code = s.currency
    LEFT JOIN LATERAL (
      SELECT sum(r.amount_minor)::bigint AS total FROM channels_refund r
       WHERE r.merchant_id = f.merchant_id AND r.payment_id = f.payment_id) r ON true
   WHERE NOT EXISTS (SELECT FROM channels_refund k
                      WHERE k.refund_no = s.refund_no AND k.merchant_id = f.merchant_id)
  WINDOW w AS (PARTITION BY f.merchant_id, f.payment_id
               ORDER BY s.refunded_at::timestamptz, s.refund_no ROWS UNBOUNDED PRECEDING)
   ORDER BY f.merchant_id, s.refunded_at::timestamptz, s.refund_no
  RETURNING id
), numbered AS (
  SELECT id, (row_number() OVER (ORDER BY id) - 1) / %(chunk_size)s AS place FROM stored
), chunked AS (
  INSERT INTO channels_chunk (kind, intake_id, from_id, to_id, facts, state, created_at)
  SELECT 'REFUND', %(intake_id)s, min(id), max(id), count(*), 'NEW', %(at)s
    FROM numbered GROUP BY place ORDER BY place
  RETURNING facts
)
SELECT coalesce(sum(facts), 0)::bigint AS new FROM chunked
