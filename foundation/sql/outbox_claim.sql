-- Take up to %(limit)s due messages. A list of ids first, then an UPDATE that takes only what is
-- still free: two relays may read the same list, but each row changes once (FOR UPDATE SKIP LOCKED
-- over many merchants is refused later).
WITH due AS MATERIALIZED (
  SELECT merchant_id, id
  FROM public.foundation_outbox
  WHERE state IN ('PENDING', 'SENT') AND next_try_at <= statement_timestamp()
    AND (lease_expires_at IS NULL OR lease_expires_at <= statement_timestamp())
  ORDER BY next_try_at
  LIMIT %(limit)s
)
UPDATE public.foundation_outbox AS message
SET owner = %(owner)s, fence = message.fence + 1, state = 'PENDING', tries = message.tries + 1,
    lease_expires_at = statement_timestamp() + make_interval(secs => %(lease_seconds)s)
FROM due
WHERE message.merchant_id = due.merchant_id AND message.id = due.id
  AND message.state IN ('PENDING', 'SENT') AND message.next_try_at <= statement_timestamp()
  AND (message.lease_expires_at IS NULL OR message.lease_expires_at <= statement_timestamp())
RETURNING message.id, message.merchant_id, message.kind, message.payload, message.fence,
  message.tries, message.actor, message.request_id
