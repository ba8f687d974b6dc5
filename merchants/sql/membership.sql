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
