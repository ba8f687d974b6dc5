-- Number what has no number yet, in the order in which it was written. The endpoint is locked, so
-- numbers have no gaps; of one object the earlier state was committed, and so stands, before.
WITH numbered AS (
  UPDATE public.merchants_webhook_delivery d SET sequence = n.sequence
    FROM (SELECT d.id, %(last)s + row_number() OVER (ORDER BY d.id) AS sequence
            FROM public.merchants_webhook_delivery d
           WHERE d.merchant_id = %(merchant)s AND d.endpoint_id = %(endpoint)s
             AND d.state = 'PENDING' AND d.sequence IS NULL) n
   WHERE d.merchant_id = %(merchant)s AND d.id = n.id
  RETURNING d.sequence
)
UPDATE public.merchants_webhook_endpoint e
   SET last_sequence = greatest(e.last_sequence, (SELECT max(sequence) FROM numbered)),
       tried_at = statement_timestamp()
 WHERE e.merchant_id = %(merchant)s AND e.id = %(endpoint)s
