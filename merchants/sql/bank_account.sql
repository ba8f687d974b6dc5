-- Cooling time: what a merchant's person asked for is verified by an approval alone, and its
-- cooling time can be made longer, never shorter.
CREATE OR REPLACE FUNCTION public.merchants_bank_account_cooling() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.usable_from IS NOT NULL
     AND (NEW.usable_from IS NULL OR NEW.usable_from < OLD.usable_from) THEN
    RAISE EXCEPTION 'bank_account_cooling: account % cannot be used earlier', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  IF TG_OP = 'UPDATE' AND OLD.requested_by_id IS NOT NULL AND NEW.requested_by_id IS NULL THEN
    RAISE EXCEPTION 'bank_account_requested: account % was asked for by a person', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.requested_by_id IS NOT NULL AND NEW.status = 'VERIFIED'
     AND (TG_OP = 'INSERT' OR OLD.status <> 'VERIFIED')
     AND NOT EXISTS (SELECT FROM public.foundation_approval a
        WHERE a.merchant_id = NEW.merchant_id AND a.action = 'merchants.bank_account_approve'
          AND a.state = 'APPROVED' AND (a.after ->> 'bank_account_id')::bigint = NEW.id
          AND NEW.usable_from >= a.closed_at
            + make_interval(hours => (a.after ->> 'cooling_hours')::integer)) THEN
    RAISE EXCEPTION 'bank_account_approved: nobody approved account % with its cooling time', NEW.id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER bank_account_cooling
BEFORE INSERT OR UPDATE ON public.merchants_bank_account
FOR EACH ROW EXECUTE FUNCTION public.merchants_bank_account_cooling();

-- What a checker was shown is what stands there: masked number, bank and code do not change once a
-- proposal waits or the account was verified. An account about which there was a proposal is
-- verified, or put on the approved list, by the latest one alone; one that is off stays off.
CREATE OR REPLACE FUNCTION public.merchants_bank_account_agreed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  said public.foundation_approval%ROWTYPE;
BEGIN
  SELECT a.* INTO said FROM public.foundation_approval a
   WHERE a.merchant_id = NEW.merchant_id AND a.action = 'merchants.bank_account_approve'
     AND a.subject = 'bank_account:' || NEW.id
   ORDER BY a.id DESC LIMIT 1;
  IF NEW.number_masked <> OLD.number_masked
     OR ((NEW.bank_name, NEW.bank_code) IS DISTINCT FROM (OLD.bank_name, OLD.bank_code)
         AND (OLD.status <> 'UNVERIFIED' OR said.state = 'PROPOSED')) THEN
    RAISE EXCEPTION 'bank_account_shown: account % is what was shown', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  IF OLD.status = 'DISABLED' AND NEW.status <> 'DISABLED' THEN
    RAISE EXCEPTION 'bank_account_off: account % stays switched off', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  IF ((NEW.status = 'VERIFIED' AND OLD.status <> 'VERIFIED')
      OR (NEW.approved_payee AND NOT OLD.approved_payee))
     AND said.id IS NOT NULL
     AND NOT (said.state = 'APPROVED'
       AND ((said.after ->> 'approved_payee')::boolean OR NOT NEW.approved_payee)) THEN
    RAISE EXCEPTION 'bank_account_agreed: the latest proposal about account % is not approved',
      NEW.id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER bank_account_agreed
BEFORE UPDATE ON public.merchants_bank_account
FOR EACH ROW EXECUTE FUNCTION public.merchants_bank_account_agreed();
