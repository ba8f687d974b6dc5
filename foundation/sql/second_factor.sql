-- A code of the time steps is good once: the last step used only rises, whoever writes.
CREATE OR REPLACE FUNCTION public.foundation_second_factor_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.user_id IS DISTINCT FROM OLD.user_id OR NEW.last_step < OLD.last_step THEN
    RAISE EXCEPTION 'second_factor_step_rises: step % of account % cannot become %',
      OLD.last_step, OLD.user_id, NEW.last_step USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER second_factor_guard BEFORE UPDATE ON public.foundation_second_factor_guard
  FOR EACH ROW EXECUTE FUNCTION public.foundation_second_factor_guard();
