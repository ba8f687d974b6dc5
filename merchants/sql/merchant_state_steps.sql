-- Write one move of each merchant, from where it stands, as the approval says it.
INSERT INTO merchants_merchant_transition (merchant_id, sequence, from_status, to_status, reason,
       document, approval_book, approval_id, at, actor, request_id)
SELECT m.id, coalesce(m.status_sequence, 0) + 1, m.status, w.goal, %(reason)s,
       %(document)s, %(book)s, %(approval)s, %(at)s, %(actor)s, %(request_id)s
  FROM unnest(%(merchants)s::bigint[], %(goals)s::text[]) AS w (merchant_id, goal)
  JOIN merchants_merchant m ON m.id = w.merchant_id
