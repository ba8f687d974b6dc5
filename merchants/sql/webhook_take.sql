-- Take the first due delivery of a locked endpoint, unless somebody is at one of its deliveries.
UPDATE public.merchants_webhook_delivery d
   SET owner = %(owner)s, fence = d.fence + 1, tries = d.tries + 1,
       tried_at = statement_timestamp(),
       lease_expires_at = statement_timestamp() + make_interval(secs => %(lease_seconds)s)
 WHERE d.merchant_id = %(merchant)s AND d.id = (
   SELECT due.id FROM public.merchants_webhook_delivery due
    WHERE due.merchant_id = %(merchant)s AND due.endpoint_id = %(endpoint)s
      AND due.state = 'PENDING' AND due.next_try_at <= statement_timestamp()
      AND NOT EXISTS (
        SELECT FROM public.merchants_webhook_delivery held
         WHERE held.merchant_id = %(merchant)s AND held.endpoint_id = %(endpoint)s
           AND held.owner <> '' AND held.lease_expires_at > statement_timestamp())
    ORDER BY due.sequence LIMIT 1)
RETURNING d.id, d.fence, d.tries
