-- I10: what has been refunded of a payment never exceeds it. The chain (payment, refunded_before)
-- is unique, so of two refunds at the same time the second waits and is refused; this looks at the
-- whole.
CREATE FUNCTION channels_check_refunds() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_bad record;
BEGIN
  SELECT p.payment_no, p.amount_minor, t.total INTO v_bad
    FROM (SELECT DISTINCT n.merchant_id, n.payment_id FROM new_refunds n) d
    JOIN public.channels_payment p ON p.merchant_id = d.merchant_id AND p.id = d.payment_id
    JOIN LATERAL (
      SELECT sum(r.amount_minor) AS total,
             max(r.refunded_before_minor + r.amount_minor) AS reached,
             bool_and(r.currency = p.currency) AS same_currency
        FROM public.channels_refund r
       WHERE r.merchant_id = d.merchant_id AND r.payment_id = d.payment_id) t ON true
   WHERE t.total > p.amount_minor OR t.total <> t.reached OR NOT t.same_currency LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'channels.over_refunded' USING ERRCODE = 'CH001', DETAIL = json_build_object(
      'payment_no', v_bad.payment_no, 'paid', v_bad.amount_minor, 'refunded', v_bad.total)::text;
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER never_over_refunded AFTER INSERT ON channels_refund
  REFERENCING NEW TABLE AS new_refunds FOR EACH STATEMENT EXECUTE FUNCTION channels_check_refunds();

-- The best fee version for a payment: merchant first, then channel, product, currency, latest date.
CREATE FUNCTION channels_fee_rule_for(
  p_merchant_id bigint, p_product_id bigint, p_channel_id bigint, p_currency text, p_day date
) RETURNS bigint LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT r.id FROM public.channels_fee_rule r
   WHERE (r.merchant_id = p_merchant_id OR r.merchant_id IS NULL)
     AND (r.channel_id = p_channel_id OR r.channel_id IS NULL)
     AND (r.product_id = p_product_id OR r.product_id IS NULL)
     AND (r.currency = p_currency OR r.currency = '')
     AND r.effective_from <= p_day
   ORDER BY (r.merchant_id IS NOT NULL) DESC, (r.channel_id IS NOT NULL) DESC,
            (r.product_id IS NOT NULL) DESC, (r.currency <> '') DESC, r.effective_from DESC
   LIMIT 1
$$;
