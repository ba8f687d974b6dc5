-- What the database itself guarantees about imports (docs/rules/exchange.md, EXC-5).

CREATE OR REPLACE FUNCTION public.foundation_file_import_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  steering constant text[] := ARRAY['state', 'content', 'closed_at'];
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'CHECKED' THEN
      RAISE EXCEPTION 'file_import_step: a new import waits for confirmation'
        USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF (to_jsonb(NEW) - steering) IS DISTINCT FROM (to_jsonb(OLD) - steering)
     OR OLD.state <> 'CHECKED' THEN
    RAISE EXCEPTION 'file_import_frozen: import % cannot change', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;  -- while it waits its cipher may be written again: keys rotate
END $$;
CREATE OR REPLACE TRIGGER file_import_guard BEFORE INSERT OR UPDATE
ON public.foundation_file_import
FOR EACH ROW EXECUTE FUNCTION public.foundation_file_import_guard();
