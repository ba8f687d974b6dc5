-- Runs and batches move along their allowed transitions only; what they are of never changes.
CREATE FUNCTION settlement_run_guard() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (NEW.run_date, NEW.cycle, NEW.parts) IS DISTINCT FROM (OLD.run_date, OLD.cycle, OLD.parts)
     OR OLD.state = 'DONE' THEN
    RAISE EXCEPTION 'settlement.illegal_transition: run % is fixed', OLD.id
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION settlement_batch_guard() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.state = 'COLLECTING' THEN  -- found empty: with nothing to settle there is no batch
      RETURN OLD;
    END IF;
    RAISE EXCEPTION 'settlement.append_only: batch % is frozen', OLD.id
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF (NEW.run_id, NEW.run_date, NEW.cycle, NEW.currency, NEW.part, NEW.merchant_from,
      NEW.merchant_to)
     IS DISTINCT FROM
     (OLD.run_id, OLD.run_date, OLD.cycle, OLD.currency, OLD.part, OLD.merchant_from,
      OLD.merchant_to)
     OR (NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
       ('COLLECTING', 'FROZEN'), ('FROZEN', 'POSTING'), ('POSTING', 'POSTED'), ('POSTED', 'PAYING'),
       ('POSTED', 'CLOSED'), ('PAYING', 'CLOSED'))) THEN
    RAISE EXCEPTION 'settlement.illegal_transition: batch % from % to %',
      OLD.id, OLD.state, NEW.state USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER run_guard BEFORE UPDATE ON settlement_run
  FOR EACH ROW EXECUTE FUNCTION settlement_run_guard();
CREATE TRIGGER batch_guard BEFORE UPDATE OR DELETE ON settlement_batch
  FOR EACH ROW EXECUTE FUNCTION settlement_batch_guard();
