-- The dues of one clearing chunk's payments: net of the fee, dated by the schedule in force on the
-- business date. Each (merchant, day) and each (schedule, day) is worked out once. Runs in the
-- transaction that booked the chunk, so the pending accounts are locked already.
WITH day AS MATERIALIZED (
  SELECT d.merchant_id, d.business_date, coalesce(s.code, %(default_code)s) AS code
    FROM (SELECT DISTINCT merchant_id, business_date FROM pg_temp.due_fact) d
    LEFT JOIN LATERAL (
      SELECT s.code FROM settlement_schedule s
       WHERE s.merchant_id = d.merchant_id AND s.effective_from <= d.business_date
       ORDER BY s.effective_from DESC, s.version DESC LIMIT 1) s ON true
), dated AS MATERIALIZED (
  SELECT code, business_date, settlement_due_date(code, business_date) AS due_date
    FROM (SELECT DISTINCT code, business_date FROM day) d
), made AS (
  INSERT INTO settlement_due (merchant_id, source_kind, source_id, currency, amount_minor,
         business_date, due_date, at_once, schedule_code, explanation)
  SELECT f.merchant_id, 'payment', f.id, f.currency, f.net, f.business_date, a.due_date, false,
         d.code,
         CASE WHEN d.code = 'MANUAL' THEN 'manual'
              WHEN a.due_date IS NULL THEN 'calendar_year_not_loaded'
              ELSE 'schedule' END
    FROM pg_temp.due_fact f
    JOIN day d USING (merchant_id, business_date)
    JOIN dated a ON a.code = d.code AND a.business_date = d.business_date
   ORDER BY f.merchant_id, f.id
  RETURNING merchant_id, currency, due_date
)
INSERT INTO settlement_position AS p (merchant_id, currency, open_from, has_at_once)
SELECT m.merchant_id, m.currency, min(m.due_date), false
  FROM made m GROUP BY m.merchant_id, m.currency ORDER BY 1, 2
ON CONFLICT (merchant_id, currency) DO UPDATE SET open_from = least(p.open_from, excluded.open_from)
