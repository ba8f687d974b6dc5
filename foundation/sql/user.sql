-- An account stays its person's: else a second account of the maker could become somebody else's.
CREATE OR REPLACE FUNCTION public.foundation_user_keeps_person() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'user_keeps_person: account % stays its person''s', OLD.id
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE OR REPLACE TRIGGER user_keeps_person BEFORE UPDATE OF person_id ON public.foundation_user
FOR EACH ROW WHEN (OLD.person_id IS DISTINCT FROM NEW.person_id)
EXECUTE FUNCTION public.foundation_user_keeps_person();
