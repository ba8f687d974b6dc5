-- A partner's key acts for merchants, no other key does, and for the house nobody does.
CREATE OR REPLACE FUNCTION public.merchants_partner_grant_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.merchants_api_key
                  WHERE merchant_id = NEW.merchant_id AND id = NEW.key_id AND kind = 'PARTNER')
    OR NOT EXISTS (SELECT FROM public.merchants_merchant
                    WHERE id = NEW.acts_for_id AND kind = 'MERCHANT') THEN
    RAISE EXCEPTION 'partner_grant_parties: key % cannot act for merchant %', NEW.key_id,
        NEW.acts_for_id
      USING ERRCODE = 'check_violation';
  END IF;
  IF TG_OP = 'UPDATE' AND (NEW.key_id, NEW.acts_for_id) IS DISTINCT FROM
    (OLD.key_id, OLD.acts_for_id) THEN
    RAISE EXCEPTION 'partner_grant_fixed: another key or merchant is another row'
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER partner_grant_guard BEFORE INSERT OR UPDATE ON public.merchants_partner_grant
  FOR EACH ROW EXECUTE FUNCTION public.merchants_partner_grant_guard();

CREATE TRIGGER refuse_delete BEFORE DELETE ON public.merchants_partner_grant
  FOR EACH ROW EXECUTE FUNCTION public.foundation_refuse_change();
