-- Nobody becomes CLOSED of whom something is left (docs/rules/merchant_states.md, MST-8); what that
-- is says settlement_closing_reasons (closing_reasons.sql).
CREATE OR REPLACE FUNCTION public.settlement_closing_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  against text;
BEGIN
  SELECT string_agg(DISTINCT r.reason, ', ') INTO against
    FROM public.settlement_closing_reasons(ARRAY[NEW.id]) r;
  IF against IS NOT NULL THEN
    RAISE EXCEPTION 'settlement.not_closable: merchant % still has %', OLD.merchant_no, against
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER merchant_nothing_left BEFORE UPDATE OF status ON public.merchants_merchant
FOR EACH ROW WHEN (NEW.status = 'CLOSED' AND OLD.status <> 'CLOSED')
EXECUTE FUNCTION public.settlement_closing_guard();
