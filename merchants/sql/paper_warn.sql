-- Write one warning for each current paper that reached a stage since the last look, of at most
-- %(most)s papers, and promise the letters. Two at once write each warning once.
WITH rule AS (
  SELECT * FROM unnest(%(kinds)s::text[], %(graces)s::int[], %(told)s::bool[])
    AS r (kind, grace_days, told)
), due AS MATERIALIZED (
  SELECT p.merchant_id, p.id, p.valid_until, r.told,
         CASE WHEN p.valid_until - %(on_date)s::date < -r.grace_days THEN 'OVER'
              ELSE s.stage END AS stage
    FROM merchants_paper p
    JOIN merchants_merchant m ON m.id = p.merchant_id
     AND m.status IN ('ACTIVE', 'RESTRICTED', 'FROZEN')
    JOIN rule r ON r.kind = p.kind
   CROSS JOIN LATERAL (
     SELECT a.stage FROM unnest(%(stages)s::text[], %(days)s::int[]) AS a (stage, days)
      WHERE p.valid_until - %(on_date)s::date <= a.days ORDER BY a.days LIMIT 1) s
   WHERE p.superseded_by IS NULL AND p.valid_until <= %(on_date)s::date + %(ahead)s
     AND NOT EXISTS (
       SELECT FROM merchants_paper_notice n
        WHERE n.merchant_id = p.merchant_id AND n.paper_id = p.id
          AND n.stage = CASE WHEN p.valid_until - %(on_date)s::date < -r.grace_days THEN 'OVER'
                        ELSE s.stage END)
   ORDER BY p.merchant_id, p.id LIMIT %(most)s
), written AS (
  INSERT INTO merchants_paper_notice (merchant_id, paper_id, stage, due_date, on_date, actor,
         request_id)
  SELECT merchant_id, id, stage, valid_until, %(on_date)s, %(actor)s, %(request_id)s FROM due
   ORDER BY merchant_id, id
  ON CONFLICT (merchant_id, paper_id, stage) DO NOTHING
  RETURNING merchant_id, id, paper_id, stage
), letters AS (
  INSERT INTO foundation_outbox (merchant_id, kind, payload, actor, request_id)
  SELECT w.merchant_id, %(letter)s,
         jsonb_build_object('merchant_id', w.merchant_id, 'notice_id', w.id), %(actor)s,
         %(request_id)s
    FROM written w JOIN due d ON d.merchant_id = w.merchant_id AND d.id = w.paper_id
   WHERE d.told
)
SELECT (SELECT count(*) FROM due) AS seen,
       (SELECT coalesce(jsonb_object_agg(stage, many), '{}')
          FROM (SELECT stage, count(*) AS many FROM written GROUP BY stage) s) AS written
