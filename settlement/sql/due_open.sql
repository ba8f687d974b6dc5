-- What lies open by a date in the positions of `spot (place, merchant_id, currency, open_from,
-- claimed_to, has_at_once)`: three ranges, so that only late facts are compared with the lines
-- (SET-3). `place` is a number of the position: a short key for what follows.
SELECT s.place, d.id, d.merchant_id, d.source_kind, d.source_id, d.amount_minor,
       d.schedule_code IN ('T0', 'D0') AS advanced
  FROM spot s
  JOIN settlement_due d ON d.merchant_id = s.merchant_id AND d.currency = s.currency
   AND d.due_date BETWEEN greatest(s.open_from, s.claimed_to + 1) AND %(run_date)s
   AND NOT d.at_once
UNION ALL
SELECT s.place, d.id, d.merchant_id, d.source_kind, d.source_id, d.amount_minor,
       d.schedule_code IN ('T0', 'D0') AS advanced
  FROM spot s
  JOIN settlement_due d ON d.merchant_id = s.merchant_id AND d.currency = s.currency
   AND d.due_date BETWEEN s.open_from AND least(s.claimed_to, %(run_date)s)
   AND NOT d.at_once
 WHERE s.open_from <= s.claimed_to AND NOT EXISTS (
         SELECT FROM settlement_line l WHERE l.merchant_id = d.merchant_id
            AND l.source_kind = d.source_kind AND l.source_id = d.source_id)
UNION ALL
SELECT s.place, d.id, d.merchant_id, d.source_kind, d.source_id, d.amount_minor,
       d.schedule_code IN ('T0', 'D0') AS advanced
  FROM spot s
  JOIN settlement_due d ON d.merchant_id = s.merchant_id AND d.currency = s.currency
   AND d.due_date >= s.open_from AND d.at_once
 WHERE s.has_at_once AND NOT EXISTS (
         SELECT FROM settlement_line l WHERE l.merchant_id = d.merchant_id
            AND l.source_kind = d.source_kind AND l.source_id = d.source_id)
