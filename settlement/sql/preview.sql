-- The items a run of this date would make now: the same open dues, sums and split as freeze.sql and
-- item_split.sql, which a test compares.
WITH spot AS MATERIALIZED (
  SELECT row_number() OVER () AS place, p.merchant_id, p.currency, p.open_from, p.claimed_to,
         p.has_at_once
    FROM settlement_position p
    JOIN merchants_merchant m ON m.id = p.merchant_id
     AND (m.status = 'FROZEN') = %(frozen)s  -- these a run passes over (MST-6)
   WHERE p.open_from <= %(run_date)s OR p.has_at_once
), open AS MATERIALIZED (
{open}
), summed AS (
  SELECT o.place, count(*) AS line_count, sum(o.amount_minor)::bigint AS net_minor,
         greatest(0, least(sum(o.amount_minor),
           coalesce(sum(o.amount_minor) FILTER (WHERE o.advanced), 0)))::bigint AS advance_minor
    FROM open o GROUP BY o.place
), net AS (
  SELECT s.merchant_id, s.currency, n.line_count, n.net_minor, n.advance_minor
    FROM summed n JOIN spot s USING (place)
), priced AS (
  SELECT n.*, coalesce(d.balance, 0) AS debt,
         CASE WHEN n.advance_minor = 0 OR t.percent IS NULL THEN 0 ELSE
           least(n.net_minor,
                 round(n.advance_minor * t.percent / 100)::bigint + t.fixed_minor) END AS quoted
    FROM net n
    LEFT JOIN ledger_account d ON d.merchant_id = n.merchant_id AND d.kind = 'merchant_debt'
                              AND d.currency = n.currency AND d.ref_kind = '' AND d.ref_id = ''
    LEFT JOIN LATERAL (
      SELECT c.surcharge_percent AS percent, c.surcharge_fixed_minor AS fixed_minor
        FROM settlement_schedule c
       WHERE n.advance_minor > 0 AND c.merchant_id = n.merchant_id AND c.code IN ('T0', 'D0')
         AND c.effective_from <= %(run_date)s
       ORDER BY c.effective_from DESC, c.version DESC LIMIT 1) t ON true
), split AS (
  SELECT p.*,
         CASE WHEN p.net_minor < 0 THEN p.net_minor ELSE least(p.net_minor, p.debt) END AS to_debt,
         CASE WHEN p.net_minor < 0 THEN 0
              ELSE least(p.quoted, p.net_minor - least(p.net_minor, p.debt)) END AS surcharge
    FROM priced p
)
SELECT m.merchant_no, s.currency, s.net_minor, s.line_count, s.to_debt AS to_debt_minor,
       s.surcharge AS surcharge_minor,
       greatest(0, s.net_minor) - greatest(0, s.to_debt) - s.surcharge AS to_available_minor
  FROM split s JOIN merchants_merchant m ON m.id = s.merchant_id
 ORDER BY m.id, s.currency
