-- What a merchant's dues that are on no line bring, by day: three ranges as in due_open.sql, so
-- that only late facts are compared with the lines (SET-3), and then what has no day.
WITH spot AS MATERIALIZED (
  SELECT p.merchant_id, p.currency, p.open_from, p.claimed_to, p.has_at_once
    FROM settlement_position p WHERE p.merchant_id = %(merchant_id)s
), open AS (
  SELECT d.currency, d.due_date, d.amount_minor, d.schedule_code
    FROM spot s
    JOIN settlement_due d ON d.merchant_id = s.merchant_id AND d.currency = s.currency
     AND d.due_date >= greatest(s.open_from, s.claimed_to + 1) AND NOT d.at_once
   WHERE s.open_from IS NOT NULL
  UNION ALL
  SELECT d.currency, d.due_date, d.amount_minor, d.schedule_code
    FROM spot s
    JOIN settlement_due d ON d.merchant_id = s.merchant_id AND d.currency = s.currency
     AND d.due_date BETWEEN s.open_from AND s.claimed_to AND NOT d.at_once
   WHERE s.open_from <= s.claimed_to AND NOT EXISTS (
           SELECT FROM settlement_line l WHERE l.merchant_id = d.merchant_id
              AND l.source_kind = d.source_kind AND l.source_id = d.source_id)
  UNION ALL
  SELECT d.currency, d.due_date, d.amount_minor, d.schedule_code
    FROM spot s
    JOIN settlement_due d ON d.merchant_id = s.merchant_id AND d.currency = s.currency
     AND d.due_date >= s.open_from AND d.at_once
   WHERE s.has_at_once AND NOT EXISTS (
           SELECT FROM settlement_line l WHERE l.merchant_id = d.merchant_id
              AND l.source_kind = d.source_kind AND l.source_id = d.source_id)
)
SELECT o.currency, greatest(o.due_date, %(today)s) AS due_date, 'schedule' AS explanation,
       coalesce(string_agg(DISTINCT nullif(o.schedule_code, ''), ', '), '') AS schedules,
       sum(o.amount_minor) AS amount, count(*) AS count
  FROM open o GROUP BY 1, 2
UNION ALL
SELECT d.currency, NULL, d.explanation, '', sum(d.amount_minor), count(*)
  FROM settlement_due d
 WHERE d.merchant_id = %(merchant_id)s AND d.due_date IS NULL
   AND NOT EXISTS (
         SELECT FROM settlement_line l WHERE l.merchant_id = d.merchant_id
            AND l.source_kind = d.source_kind AND l.source_id = d.source_id)
 GROUP BY d.currency, d.explanation
 ORDER BY 1, 2 NULLS LAST
