-- When an act was recorded is said by the database's clock, whatever the writer says (AU-1).
CREATE OR REPLACE FUNCTION public.foundation_audit_event_now() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.occurred_at := statement_timestamp();
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER audit_event_now BEFORE INSERT ON public.foundation_audit_event
FOR EACH ROW EXECUTE FUNCTION public.foundation_audit_event_now();
