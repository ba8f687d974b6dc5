-- A tier is what the latest approval about it says: neither a row without one, nor an older one
-- played again (AP-11).
CREATE OR REPLACE FUNCTION public.foundation_approval_policy_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tier public.foundation_approval_policy%ROWTYPE; said public.foundation_approval%ROWTYPE;
BEGIN
  IF TG_OP = 'DELETE' THEN tier := OLD; ELSE tier := NEW; END IF;
  IF TG_OP = 'UPDATE' AND (NEW.id, NEW.action, NEW.currency, NEW.from_amount_minor)
       IS DISTINCT FROM (OLD.id, OLD.action, OLD.currency, OLD.from_amount_minor) THEN
    RAISE EXCEPTION 'approval_policy_moved: tier % stays what it is a tier of', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  SELECT a.* INTO said FROM public.foundation_approval a
   WHERE a.action = 'foundation.approval_policy' AND a.state = 'APPROVED'
     AND a.subject = concat_ws(':', tier.action, tier.currency, tier.from_amount_minor)
   ORDER BY a.id DESC LIMIT 1;
  IF said.id IS NULL
     OR (said.after ->> 'checkers_needed')::integer
          <> (CASE TG_OP WHEN 'DELETE' THEN 0 ELSE tier.checkers_needed END)
     OR (TG_OP <> 'DELETE' AND tier.approval_id IS DISTINCT FROM said.id) THEN
    RAISE EXCEPTION 'approval_policy_not_approved: nobody approved this change of a tier of %',
      tier.action USING ERRCODE = 'check_violation';
  END IF;
  RETURN tier;
END $$;

CREATE OR REPLACE TRIGGER approval_policy_guard
BEFORE INSERT OR UPDATE OR DELETE ON public.foundation_approval_policy
FOR EACH ROW EXECUTE FUNCTION public.foundation_approval_policy_guard();
