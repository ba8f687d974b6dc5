-- Cut the merchants with something open by the date into at most `parts` ranges and open one batch
-- per part and currency of a run. Frozen merchants are passed over (MST-6). Returns nothing when
-- nothing is open.
WITH spot AS MATERIALIZED (
  SELECT p.merchant_id, p.currency, p.open_from, p.claimed_to, p.has_at_once
    FROM settlement_position p
    JOIN merchants_merchant m ON m.id = p.merchant_id AND m.status <> 'FROZEN'
   WHERE p.open_from <= %(run_date)s OR p.has_at_once
), waiting AS MATERIALIZED (
  SELECT s.merchant_id, s.currency FROM spot s
   WHERE EXISTS (SELECT FROM settlement_due d
                  WHERE d.merchant_id = s.merchant_id AND d.currency = s.currency
                    AND d.due_date BETWEEN greatest(s.open_from, s.claimed_to + 1) AND %(run_date)s
                    AND NOT d.at_once)
      OR (s.open_from <= s.claimed_to AND EXISTS (
            SELECT FROM settlement_due d
             WHERE d.merchant_id = s.merchant_id AND d.currency = s.currency
               AND d.due_date BETWEEN s.open_from AND least(s.claimed_to, %(run_date)s)
               AND NOT d.at_once AND NOT EXISTS (
                     SELECT FROM settlement_line l WHERE l.merchant_id = d.merchant_id
                        AND l.source_kind = d.source_kind AND l.source_id = d.source_id)))
      OR (s.has_at_once AND EXISTS (
            SELECT FROM settlement_due d
             WHERE d.merchant_id = s.merchant_id AND d.currency = s.currency
               AND d.due_date >= s.open_from AND d.at_once AND NOT EXISTS (
                     SELECT FROM settlement_line l WHERE l.merchant_id = d.merchant_id
                        AND l.source_kind = d.source_kind AND l.source_id = d.source_id)))
), merchant AS MATERIALIZED (
  SELECT merchant_id, row_number() OVER (ORDER BY merchant_id) - 1 AS place,
         count(*) OVER () AS total
    FROM (SELECT DISTINCT merchant_id FROM waiting) w
), cut AS MATERIALIZED (  -- parts of equal size; as many as needed for `part_size`, at most `parts`
  SELECT merchant_id, 1 + place * width / total AS part
    FROM (SELECT m.*, least(%(parts)s::bigint, (total + %(part_size)s - 1) / %(part_size)s) AS width
            FROM merchant m) m
)
SELECT c.part::integer AS part, w.currency, min(r.merchant_from) AS merchant_from,
       max(r.merchant_to) AS merchant_to
  FROM waiting w
  JOIN cut c USING (merchant_id)
  JOIN (SELECT part, min(merchant_id) AS merchant_from, max(merchant_id) AS merchant_to
          FROM cut GROUP BY part) r USING (part)
 GROUP BY c.part, w.currency ORDER BY 1, 2
