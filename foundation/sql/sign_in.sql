-- What was found when somebody signed in stays; an ended session never lives again.
CREATE OR REPLACE FUNCTION public.foundation_sign_in_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (to_jsonb(NEW) - '{session_key,last_seen_at,ended_at,ended}'::text[])
    IS DISTINCT FROM (to_jsonb(OLD) - '{session_key,last_seen_at,ended_at,ended}'::text[])
    OR (OLD.ended_at IS NOT NULL AND NEW IS DISTINCT FROM OLD) THEN
    RAISE EXCEPTION 'sign_in_fixed: sign-in % cannot change', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER sign_in_guard BEFORE UPDATE ON public.foundation_sign_in
  FOR EACH ROW EXECUTE FUNCTION public.foundation_sign_in_guard();
