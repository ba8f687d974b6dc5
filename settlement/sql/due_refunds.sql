-- The dues of one chunk's refunds, for the part that pending paid. As far as the refund's own
-- payment is still due (on no line, less earlier refunds) it takes that payment's date; the rest is
-- due at once. Runs in the transaction that booked the chunk: the pending accounts are locked
-- already, so no freezing can come in between.
WITH fact AS MATERIALIZED (
  SELECT b.merchant_id, b.refund_id, b.payment_id, b.from_pending_minor AS taken, r.currency,
         r.business_date,
         sum(b.from_pending_minor) OVER (
           PARTITION BY b.merchant_id, b.payment_id ORDER BY b.refund_id) AS taken_so_far
    FROM channels_refund_booking b
    JOIN channels_refund r ON r.merchant_id = b.merchant_id AND r.id = b.refund_id
   WHERE b.chunk_id = %(chunk_id)s AND b.from_pending_minor > 0
), own AS MATERIALIZED (
  SELECT f.merchant_id, f.payment_id, d.due_date, d.schedule_code,
         greatest(0, d.amount_minor + coalesce((
           SELECT sum(e.amount_minor) FROM settlement_due e
            WHERE e.merchant_id = f.merchant_id AND e.origin_id = f.payment_id
              AND e.source_kind = 'refund'), 0)) AS left_minor
    FROM (SELECT DISTINCT merchant_id, payment_id FROM fact) f
    JOIN settlement_due d ON d.merchant_id = f.merchant_id AND d.source_kind = 'payment'
                         AND d.source_id = f.payment_id
   WHERE NOT EXISTS (
           SELECT FROM settlement_line l
            WHERE l.merchant_id = f.merchant_id AND l.source_kind = 'payment'
              AND l.source_id = f.payment_id)
), split AS MATERIALIZED (
  SELECT f.merchant_id, f.refund_id, f.payment_id, f.currency, f.business_date, f.taken,
         o.due_date, coalesce(o.schedule_code, '') AS schedule_code,
         least(f.taken_so_far, coalesce(o.left_minor, 0))
           - least(f.taken_so_far - f.taken, coalesce(o.left_minor, 0)) AS from_own
    FROM fact f LEFT JOIN own o USING (merchant_id, payment_id)
), made AS (
  INSERT INTO settlement_due (merchant_id, source_kind, source_id, currency, amount_minor,
         business_date, due_date, at_once, schedule_code, explanation, origin_id)
  SELECT s.merchant_id, w.kind, s.refund_id, s.currency, -w.amount, s.business_date,
         CASE w.kind WHEN 'refund' THEN s.due_date ELSE s.business_date END,
         w.kind = 'refund_rest',
         CASE w.kind WHEN 'refund' THEN s.schedule_code ELSE '' END,
         CASE w.kind WHEN 'refund' THEN 'own_payment' ELSE 'at_once' END,
         s.payment_id
    FROM split s,
         LATERAL (VALUES ('refund', s.from_own), ('refund_rest', s.taken - s.from_own))
                 AS w (kind, amount)
   WHERE w.amount > 0
   ORDER BY s.merchant_id, s.refund_id, w.kind
  RETURNING merchant_id, currency, due_date, at_once
)
INSERT INTO settlement_position AS p (merchant_id, currency, open_from, has_at_once)
SELECT m.merchant_id, m.currency, min(m.due_date), bool_or(m.at_once)
  FROM made m GROUP BY m.merchant_id, m.currency ORDER BY 1, 2
ON CONFLICT (merchant_id, currency) DO UPDATE
  SET open_from = least(p.open_from, excluded.open_from),
      has_at_once = p.has_at_once OR excluded.has_at_once
