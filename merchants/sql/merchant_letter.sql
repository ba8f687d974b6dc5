-- Promise one letter about where each merchant stands now, to those that have somebody to write to.
INSERT INTO foundation_outbox (merchant_id, kind, payload, actor, request_id)
SELECT m.id, %(kind)s, jsonb_build_object('merchant_id', m.id, 'sequence', m.status_sequence),
       %(actor)s, %(request_id)s
  FROM merchants_merchant m
 WHERE m.id = ANY (%(merchants)s::bigint[]) AND m.status_sequence IS NOT NULL
   AND EXISTS (
     SELECT FROM merchants_membership o JOIN foundation_user u ON u.id = o.user_id
      WHERE o.merchant_id = m.id AND o.role = 'OWNER' AND o.active AND u.is_active
        AND u.email <> '')
 ORDER BY m.id
