-- What stands against closing a merchant for good (docs/rules/merchant_states.md, MST-8): the page,
-- the service and the guard below all ask this one function.
CREATE OR REPLACE FUNCTION public.settlement_closing_reasons(p_merchant_id bigint)
RETURNS TABLE (reason text, currency text, amount_minor bigint, many bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT 'balance:' || a.kind, a.currency::text, sum(a.balance)::bigint, count(*)
    FROM public.ledger_account a
   WHERE a.merchant_id = p_merchant_id AND a.balance <> 0
     AND a.kind IN ('merchant_pending', 'merchant_available', 'merchant_reserve', 'merchant_debt',
       'merchant_margin', 'prepaid_card', 'customer_deposit', 'issuer_prefunded',
       'payout_in_transit', 'fee_receivable', 'disputed_receivable', 'suspense')
   GROUP BY a.kind, a.currency
  UNION ALL
  SELECT 'hold', h.currency::text, sum(h.amount_minor)::bigint, count(*) FROM public.ledger_hold h
   WHERE h.merchant_id = p_merchant_id AND h.state = 'OPEN' GROUP BY h.currency
  UNION ALL
  SELECT 'withdrawal', w.currency::text, sum(w.amount_minor)::bigint, count(*)
    FROM public.settlement_withdrawal w
   WHERE w.merchant_id = p_merchant_id AND w.status IN ('CREATED', 'REVIEW', 'HELD', 'PAYING')
   GROUP BY w.currency
  UNION ALL
  SELECT 'unknown', p.currency::text, sum(p.amount_minor)::bigint, count(*)
    FROM public.settlement_payout_attempt p
   WHERE p.merchant_id = p_merchant_id AND p.status = 'UNKNOWN' GROUP BY p.currency
  UNION ALL
  SELECT 'disputed', w.currency::text, sum(w.amount_minor)::bigint, count(*)
    FROM public.settlement_withdrawal w
   WHERE w.merchant_id = p_merchant_id AND w.status = 'DISPUTED' GROUP BY w.currency
  UNION ALL
  SELECT 'item', i.currency::text, sum(i.net_minor)::bigint, count(*)
    FROM public.settlement_item i
   WHERE i.merchant_id = p_merchant_id AND i.state <> 'CLOSED' GROUP BY i.currency
  UNION ALL
  SELECT 'unpriced', '', NULL, count(*) FROM public.channels_unpriced u
   WHERE u.merchant_id = p_merchant_id AND u.chunk_id IS NULL HAVING count(*) > 0
  UNION ALL
  SELECT 'case', '', NULL, count(*) FROM public.settlement_payout_case c
   WHERE c.merchant_id = p_merchant_id AND c.closed_at IS NULL HAVING count(*) > 0
  UNION ALL
  SELECT 'approval', '', NULL, count(*) FROM public.foundation_approval v
   WHERE v.merchant_id = p_merchant_id AND v.state = 'PROPOSED' AND v.action <> 'merchants.end'
  HAVING count(*) > 0
$$;

CREATE OR REPLACE FUNCTION public.settlement_closing_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  against text;
BEGIN
  SELECT string_agg(DISTINCT r.reason, ', ') INTO against
    FROM public.settlement_closing_reasons(NEW.id) r;
  IF against IS NOT NULL THEN
    RAISE EXCEPTION 'settlement.not_closable: merchant % still has %', OLD.merchant_no, against
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER merchant_nothing_left BEFORE UPDATE OF status ON public.merchants_merchant
FOR EACH ROW WHEN (NEW.status = 'CLOSED' AND OLD.status <> 'CLOSED')
EXECUTE FUNCTION public.settlement_closing_guard();
