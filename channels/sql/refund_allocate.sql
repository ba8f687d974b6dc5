-- Where each refund's money comes from, in the order of the facts: what is free in pending, then
-- what is free in available, the rest becomes debt (REF-4). `spot` holds the locked balances. The
-- fee that goes back is the difference of two cumulative shares, so the last refund returns exactly
-- the rest; half up by whole numbers, since a quotient is cut to so many digits.
CREATE TEMPORARY TABLE clearing_refund ON COMMIT DROP AS
WITH fact AS MATERIALIZED (
  SELECT r.id, r.merchant_id, r.payment_id, r.currency, r.amount_minor, p.channel_id,
         CASE v.fee_on_refund WHEN 'returned' THEN
           div(2 * g.fee_minor::numeric * (r.refunded_before_minor + r.amount_minor)
               + p.amount_minor, 2 * p.amount_minor)
           - div(2 * g.fee_minor::numeric * r.refunded_before_minor + p.amount_minor,
                 2 * p.amount_minor)
         ELSE 0 END::bigint AS fee_back
    FROM channels_refund r
    JOIN channels_payment p ON p.merchant_id = r.merchant_id AND p.id = r.payment_id
    JOIN channels_pricing g ON g.merchant_id = r.merchant_id AND g.payment_id = r.payment_id
    JOIN channels_fee_rule v ON v.id = g.fee_rule_id
   WHERE {chosen}
), asked AS MATERIALIZED (
  SELECT f.*, f.amount_minor - f.fee_back AS due,
         sum(f.amount_minor - f.fee_back) OVER (
           PARTITION BY f.merchant_id, f.currency ORDER BY f.id ROWS UNBOUNDED PRECEDING)
           - (f.amount_minor - f.fee_back) AS before,
         s.pending, s.available
    FROM fact f JOIN pg_temp.spot s USING (merchant_id, currency)
), from_pending AS (
  SELECT a.*, greatest(0, least(a.due, a.pending - a.before)) AS pending_part FROM asked a
), from_available AS (
  SELECT p.*, greatest(0, least(p.due - p.pending_part,
                                p.available - greatest(p.before - p.pending, 0))) AS available_part
    FROM from_pending p
)
SELECT a.id, a.merchant_id, a.payment_id, a.currency, a.channel_id, a.amount_minor,
       a.fee_back AS fee_returned_minor, a.pending_part::bigint AS from_pending_minor,
       a.available_part::bigint AS from_available_minor,
       (a.due - a.pending_part - a.available_part)::bigint AS to_debt_minor
  FROM from_available a
