-- Make the moves that were just written.
UPDATE merchants_merchant m
   SET status = t.to_status, status_sequence = t.sequence
  FROM merchants_merchant_transition t
 WHERE m.id = ANY (%(merchants)s) AND t.merchant_id = m.id
   AND t.sequence = coalesce(m.status_sequence, 0) + 1
   AND t.approval_book = %(book)s AND t.approval_id = %(approval)s
