-- What stands against closing merchants for good (docs/rules/merchant_states.md, MST-8): the page,
-- the list, the service and the guard below all ask this one function.
DROP FUNCTION IF EXISTS public.settlement_closing_reasons(bigint);
CREATE OR REPLACE FUNCTION public.settlement_closing_reasons(p_merchant_ids bigint[])
RETURNS TABLE (merchant_id bigint, reason text, currency text, amount_minor bigint, many bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.merchant_id, 'balance:' || a.kind, a.currency::text, sum(a.balance)::bigint, count(*)
    FROM public.ledger_account a
    JOIN public.ledger_account_kind k ON k.kind = a.kind AND k.ends_with_merchant
   WHERE a.merchant_id = ANY (p_merchant_ids) AND a.balance <> 0
   GROUP BY a.merchant_id, a.kind, a.currency
  UNION ALL
  SELECT h.merchant_id, 'hold', h.currency::text, sum(h.amount_minor)::bigint, count(*)
    FROM public.ledger_hold h
   WHERE h.merchant_id = ANY (p_merchant_ids) AND h.state = 'OPEN'
   GROUP BY h.merchant_id, h.currency
  UNION ALL
  SELECT w.merchant_id, 'withdrawal', w.currency::text, sum(w.amount_minor)::bigint, count(*)
    FROM public.settlement_withdrawal w
   WHERE w.merchant_id = ANY (p_merchant_ids)
     AND w.status IN ('CREATED', 'REVIEW', 'HELD', 'PAYING')
   GROUP BY w.merchant_id, w.currency
  UNION ALL
  SELECT p.merchant_id, 'unknown', p.currency::text, sum(p.amount_minor)::bigint, count(*)
    FROM public.settlement_payout_attempt p
   WHERE p.merchant_id = ANY (p_merchant_ids) AND p.status = 'UNKNOWN'
   GROUP BY p.merchant_id, p.currency
  UNION ALL
  SELECT w.merchant_id, 'disputed', w.currency::text, sum(w.amount_minor)::bigint, count(*)
    FROM public.settlement_withdrawal w
   WHERE w.merchant_id = ANY (p_merchant_ids) AND w.status = 'DISPUTED'
   GROUP BY w.merchant_id, w.currency
  UNION ALL
  SELECT i.merchant_id, 'item', i.currency::text, sum(i.net_minor)::bigint, count(*)
    FROM public.settlement_item i
   WHERE i.merchant_id = ANY (p_merchant_ids) AND i.state <> 'CLOSED'
   GROUP BY i.merchant_id, i.currency
  UNION ALL
  SELECT u.merchant_id, CASE WHEN u.chunk_id IS NULL THEN 'unpriced' ELSE 'uncleared' END, '', NULL,
         count(*)
    FROM public.channels_unpriced u
   WHERE u.merchant_id = ANY (p_merchant_ids) GROUP BY u.merchant_id, u.chunk_id IS NULL
  UNION ALL  -- stored, and in a chunk that nobody has booked yet
  SELECT p.merchant_id, 'uncleared', p.currency::text, sum(p.amount_minor)::bigint, count(*)
    FROM public.channels_chunk c
    JOIN public.channels_payment p
      ON p.id BETWEEN c.from_id AND c.to_id AND p.intake_id = c.intake_id
   WHERE c.state = 'NEW' AND c.kind = 'PAYMENT' AND p.merchant_id = ANY (p_merchant_ids)
   GROUP BY p.merchant_id, p.currency
  UNION ALL
  SELECT r.merchant_id, 'uncleared_refund', r.currency::text, sum(r.amount_minor)::bigint, count(*)
    FROM public.channels_chunk c
    JOIN public.channels_refund r
      ON r.id BETWEEN c.from_id AND c.to_id AND r.intake_id = c.intake_id
   WHERE c.state = 'NEW' AND c.kind = 'REFUND' AND r.merchant_id = ANY (p_merchant_ids)
   GROUP BY r.merchant_id, r.currency
  UNION ALL
  SELECT c.merchant_id, 'case', '', NULL, count(*) FROM public.settlement_payout_case c
   WHERE c.merchant_id = ANY (p_merchant_ids) AND c.closed_at IS NULL GROUP BY c.merchant_id
  UNION ALL
  SELECT v.merchant_id, 'approval', '', NULL, count(*) FROM public.foundation_approval v
   WHERE v.merchant_id = ANY (p_merchant_ids) AND v.state = 'PROPOSED'
     AND v.action <> 'merchants.end' GROUP BY v.merchant_id
  UNION ALL  -- a channel believes the merchant to be ours still
  SELECT g.merchant_id, 'registration', '', NULL, count(*) FROM public.channels_registration g
   WHERE g.merchant_id = ANY (p_merchant_ids) AND g.state IN ('REQUESTED', 'SUBMITTED', 'APPROVED')
   GROUP BY g.merchant_id
$$;
