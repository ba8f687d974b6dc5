-- Who proposes is somebody the house knows in that book: staff, in a merchant's book also its own
-- people and programs, and the watch over papers for what it watches. A person that SQL made up
-- proposes nothing that another account of whoever wrote it could then approve (AP-15).
CREATE OR REPLACE FUNCTION public.merchants_proposal_maker() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF public.foundation_by_operator() OR EXISTS (
      SELECT FROM public.foundation_user u
        JOIN public.merchants_merchant b ON b.id = NEW.merchant_id
       WHERE u.id = NEW.maker_id AND (
         u.is_staff AND u.is_active
         OR b.kind = 'MERCHANT' AND u.is_active AND EXISTS (
           SELECT FROM public.merchants_membership m
            WHERE m.merchant_id = b.id AND m.user_id = u.id AND m.active)
         OR b.kind = 'MERCHANT' AND NOT u.is_active AND EXISTS (
           SELECT FROM public.merchants_api_key k
            WHERE u.username = 'key:' || k.prefix AND (k.merchant_id = b.id
              OR k.kind <> 'MERCHANT'))
         OR u.id = '6f1d4c1e-0000-4000-8000-706170657273'
           AND NEW.action IN ('merchants.restrict', 'merchants.restore'))) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'approval_maker_unknown: account % proposes nothing in book %',
    NEW.maker_id, NEW.merchant_id USING ERRCODE = 'check_violation';
END $$;

CREATE OR REPLACE TRIGGER proposal_maker BEFORE INSERT ON public.foundation_approval
FOR EACH ROW EXECUTE FUNCTION public.merchants_proposal_maker();
