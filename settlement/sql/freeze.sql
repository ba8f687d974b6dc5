-- Freeze the merchants named: their open dues become items with lines, in one pass; an item's id is
-- drawn beforehand (`place`), so that a million lines need not be joined to it. The pending
-- accounts are locked by the caller, and what a merchant has in this cycle already stays as it is.
WITH spot AS MATERIALIZED (
  SELECT nextval('settlement_item_id_seq') AS place, p.merchant_id, p.currency, p.open_from,
         p.claimed_to, p.has_at_once, b.id AS batch_id
    FROM unnest(%(merchants)s::bigint[], %(currencies)s::text[]) AS w (merchant_id, currency)
    JOIN settlement_position p USING (merchant_id, currency)
    JOIN settlement_batch b ON b.run_id = %(run_id)s AND b.part = %(part)s
                           AND b.currency = p.currency AND b.state = 'COLLECTING'
   WHERE NOT EXISTS (
           SELECT FROM settlement_item i
            WHERE i.merchant_id = p.merchant_id AND i.run_date = %(run_date)s
              AND i.cycle = %(cycle)s AND i.currency = p.currency)
), open AS MATERIALIZED (
{open}
), net AS MATERIALIZED (
  SELECT o.place, count(*) AS lines, sum(o.amount_minor)::bigint AS net_minor,
         greatest(0, least(sum(o.amount_minor),
           coalesce(sum(o.amount_minor) FILTER (WHERE o.advanced), 0)))::bigint AS advance_minor
    FROM open o GROUP BY o.place
), item AS (
  INSERT INTO settlement_item (id, merchant_id, batch_id, run_date, cycle, currency, net_minor,
         line_count, advance_minor, surcharge_minor, to_debt_minor, to_available_minor, state)
  SELECT s.place, s.merchant_id, s.batch_id, %(run_date)s, %(cycle)s, s.currency, n.net_minor,
         n.lines, n.advance_minor,
         CASE WHEN n.advance_minor = 0 OR t.percent IS NULL THEN 0 ELSE
           least(n.net_minor,
                 round(n.advance_minor * t.percent / 100)::bigint + t.fixed_minor) END,
         0, 0, 'COLLECTED'
    FROM net n
    JOIN spot s USING (place)
    LEFT JOIN LATERAL (
      SELECT c.surcharge_percent AS percent, c.surcharge_fixed_minor AS fixed_minor
        FROM settlement_schedule c
       WHERE n.advance_minor > 0 AND c.merchant_id = s.merchant_id AND c.code IN ('T0', 'D0')
         AND c.effective_from <= %(run_date)s
       ORDER BY c.effective_from DESC, c.version DESC LIMIT 1) t ON true
   ORDER BY n.place
  RETURNING id
), line AS (
  INSERT INTO settlement_line (id, merchant_id, item_id, source_kind, source_id, amount_minor)
  SELECT o.id, o.merchant_id, o.place, o.source_kind, o.source_id, o.amount_minor FROM open o
), moved AS (
  UPDATE settlement_position p
     SET open_from = (SELECT min(d.due_date) FROM settlement_due d
                       WHERE d.merchant_id = p.merchant_id AND d.currency = p.currency
                         AND d.due_date > %(run_date)s),
         claimed_to = greatest(p.claimed_to, %(run_date)s),
         has_at_once = false
    FROM spot s WHERE s.merchant_id = p.merchant_id AND s.currency = p.currency
)
SELECT count(*) AS items FROM item
