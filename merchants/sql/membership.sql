-- Who acts or acted for a merchant decides on nothing in its book, under no account and with no
-- right that was lent (AP-12): a program's key he made would else be a second person.
CREATE OR REPLACE FUNCTION public.merchants_decision_by_outsider() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM public.merchants_membership m
      JOIN public.foundation_user u ON u.id = m.user_id
     WHERE m.merchant_id = NEW.merchant_id
       AND u.person_id IN (NEW.checker_person_id, NEW.delegator_person_id)) THEN
    RAISE EXCEPTION 'approval_insider: the checker of % acts for the merchant', NEW.approval_id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER decision_by_outsider
BEFORE INSERT ON public.foundation_approval_decision
FOR EACH ROW EXECUTE FUNCTION public.merchants_decision_by_outsider();

-- Who acted for a merchant stays known: a membership never becomes another account's.
CREATE OR REPLACE FUNCTION public.merchants_membership_keeps_user() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'membership_keeps_user: membership % stays its account''s', OLD.id
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE OR REPLACE TRIGGER membership_keeps_user BEFORE UPDATE OF user_id
ON public.merchants_membership FOR EACH ROW WHEN (OLD.user_id IS DISTINCT FROM NEW.user_id)
EXECUTE FUNCTION public.merchants_membership_keeps_user();
