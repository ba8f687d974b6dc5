-- An instruction's content never changes; its status moves along the table.
CREATE OR REPLACE FUNCTION public.settlement_standing_instruction_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  moving constant text[] := ARRAY['status', 'approved_how', 'active_at', 'ended_at'];
BEGIN
  IF (to_jsonb(NEW) - moving) IS DISTINCT FROM (to_jsonb(OLD) - moving)
     OR (NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
       ('PROPOSED', 'ACTIVE'), ('PROPOSED', 'REFUSED'), ('ACTIVE', 'ENDED'))) THEN
    RAISE EXCEPTION 'settlement.illegal_transition: standing instruction % from % to %',
      OLD.id, OLD.status, NEW.status USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER standing_instruction_guard BEFORE UPDATE ON public.settlement_standing_instruction
FOR EACH ROW EXECUTE FUNCTION public.settlement_standing_instruction_guard();
