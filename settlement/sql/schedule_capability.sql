-- Who may not be settled the same day gets no such schedule (CAP-3).
CREATE OR REPLACE FUNCTION public.settlement_schedule_capability() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM public.merchants_merchant m WHERE m.id = NEW.merchant_id FOR SHARE;
  IF public.merchants_capability_taken(NEW.merchant_id, 'same_day') THEN
    RAISE EXCEPTION 'settlement.not_payable: merchant % may not be settled the same day',
      NEW.merchant_id USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER schedule_capability AFTER INSERT ON public.settlement_schedule
FOR EACH ROW WHEN (NEW.code IN ('T0', 'D0'))
EXECUTE FUNCTION public.settlement_schedule_capability();
