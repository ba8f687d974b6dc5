-- Who should be restricted for papers that are over, or restored since none is, with the paper.
-- What the watch proposed and somebody refused rests for a while; what is open is left alone.
WITH rule AS (
  SELECT * FROM unnest(%(kinds)s::text[], %(graces)s::int[]) AS r (kind, grace_days)
), over AS MATERIALIZED (
  SELECT DISTINCT ON (p.merchant_id) p.merchant_id, p.kind, p.valid_until,
         p.valid_until + r.grace_days AS cut_date
    FROM merchants_paper p JOIN rule r ON r.kind = p.kind
   WHERE p.superseded_by IS NULL AND p.valid_until + r.grace_days < %(on_date)s
     AND p.valid_until < %(on_date)s
     AND (%(merchant)s::bigint IS NULL OR p.merchant_id = %(merchant)s)
   ORDER BY p.merchant_id, p.valid_until, p.kind
), wanted AS (
  SELECT m.id, m.merchant_no, 'merchants.restrict' AS action, o.kind, o.valid_until, o.cut_date
    FROM over o JOIN merchants_merchant m ON m.id = o.merchant_id AND m.status = 'ACTIVE'
  UNION ALL
  SELECT m.id, m.merchant_no, 'merchants.restore', '', NULL, NULL
    FROM merchants_merchant m
    JOIN LATERAL (
      SELECT t.approval_book, t.approval_id FROM merchants_merchant_transition t
       WHERE t.merchant_id = m.id AND t.from_status = 'ACTIVE' AND t.to_status = 'RESTRICTED'
       ORDER BY t.sequence DESC LIMIT 1) t ON true
    JOIN foundation_approval a ON a.merchant_id = t.approval_book AND a.id = t.approval_id
     AND a.maker_id = %(watchman)s
   WHERE m.status = 'RESTRICTED' AND m.id NOT IN (SELECT merchant_id FROM over)
     AND (%(merchant)s::bigint IS NULL OR m.id = %(merchant)s)
)
SELECT w.* FROM wanted w
 WHERE NOT EXISTS (
   SELECT FROM foundation_approval a
    WHERE a.merchant_id = w.id AND a.subject = 'merchant:' || w.id
      AND ((a.state = 'PROPOSED' AND a.action IN ('merchants.restrict', 'merchants.freeze',
              'merchants.restore', 'merchants.close'))
        OR (a.maker_id = %(watchman)s AND a.action = w.action AND a.state = 'REJECTED'
            AND a.closed_at > %(rested_since)s)))
   AND NOT (w.action = 'merchants.restrict' AND EXISTS (
     SELECT FROM merchants_merchant_transition t
      WHERE t.merchant_id = w.id AND t.to_status = 'ACTIVE' AND t.at > %(rested_since)s))
 ORDER BY w.valid_until NULLS FIRST, w.id LIMIT %(most)s
