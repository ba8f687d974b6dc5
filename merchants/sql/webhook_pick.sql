-- The endpoint that has waited longest, has something due, and is called by nobody at this moment;
-- none while as many calls as may be are under way. A failing receiver is left in peace for a
-- while.
SELECT e.merchant_id, e.id
  FROM public.merchants_webhook_endpoint e
 WHERE e.state = 'ACTIVE'
   AND (e.waits_until IS NULL OR e.waits_until <= statement_timestamp())
   AND EXISTS (
     SELECT FROM public.merchants_webhook_delivery d
      WHERE d.merchant_id = e.merchant_id AND d.endpoint_id = e.id AND d.state = 'PENDING'
        AND d.next_try_at <= statement_timestamp())
   AND NOT EXISTS (
     SELECT FROM public.merchants_webhook_delivery d
      WHERE d.merchant_id = e.merchant_id AND d.endpoint_id = e.id AND d.owner <> ''
        AND d.lease_expires_at > statement_timestamp())
   AND (SELECT count(*) FROM public.merchants_webhook_delivery d
         WHERE d.owner <> '' AND d.lease_expires_at > statement_timestamp()) < %(senders)s
 ORDER BY e.tried_at NULLS FIRST, e.id
 LIMIT 1
   FOR NO KEY UPDATE OF e SKIP LOCKED
