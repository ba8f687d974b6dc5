-- One delivery for each piece of news and each active endpoint of its merchant that wants it.
INSERT INTO public.merchants_webhook_delivery (merchant_id, endpoint_id, event_id, event,
       object_number, object_state, amount_minor, currency, at, actor, request_id)
SELECT e.merchant_id, e.id, n.event_id, n.event, n.number, n.state, n.amount_minor, n.currency,
       %(at)s, %(actor)s, %(request_id)s
  FROM unnest(%(merchants)s::bigint[], %(ids)s::uuid[], %(events)s::text[], %(numbers)s::text[],
              %(states)s::text[], %(amounts)s::bigint[], %(currencies)s::text[])
       WITH ORDINALITY
       AS n (merchant_id, event_id, event, number, state, amount_minor, currency, place)
  JOIN public.merchants_webhook_endpoint e
    ON e.merchant_id = n.merchant_id AND e.state = 'ACTIVE' AND n.event = ANY (e.events)
 ORDER BY n.place, e.id
