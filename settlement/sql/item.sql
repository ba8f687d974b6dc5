-- Items: what they settle is fixed from the first, their state moves along the allowed transitions.
CREATE FUNCTION settlement_item_guard() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (NEW.id, NEW.merchant_id, NEW.batch_id, NEW.run_date, NEW.cycle, NEW.currency, NEW.net_minor,
      NEW.line_count, NEW.advance_minor)
     IS DISTINCT FROM
     (OLD.id, OLD.merchant_id, OLD.batch_id, OLD.run_date, OLD.cycle, OLD.currency, OLD.net_minor,
      OLD.line_count, OLD.advance_minor)
     OR (OLD.hold_id IS NOT NULL AND NEW.hold_id IS DISTINCT FROM OLD.hold_id)
     OR (OLD.state IN ('POSTED', 'PAYING', 'CLOSED') AND
         (NEW.entry_id, NEW.to_debt_minor, NEW.surcharge_minor, NEW.to_available_minor)
         IS DISTINCT FROM
         (OLD.entry_id, OLD.to_debt_minor, OLD.surcharge_minor, OLD.to_available_minor))
     OR (NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
       ('COLLECTED', 'FROZEN'), ('FROZEN', 'POSTED'), ('FROZEN', 'HELD_BACK'), ('FROZEN', 'CLOSED'),
       ('HELD_BACK', 'POSTED'), ('HELD_BACK', 'CLOSED'), ('POSTED', 'PAYING'), ('POSTED', 'CLOSED'),
       ('PAYING', 'CLOSED'))) THEN
    RAISE EXCEPTION 'settlement.illegal_transition: item % from % to %',
      OLD.id, OLD.state, NEW.state
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.state = 'FROZEN' AND (NEW.net_minor > 0) <> (NEW.hold_id IS NOT NULL) THEN
    RAISE EXCEPTION 'settlement.hold_missing: item % holds its net from FROZEN on', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER item_guard BEFORE UPDATE ON settlement_item
  FOR EACH ROW EXECUTE FUNCTION settlement_item_guard();
CREATE TRIGGER item_append_only BEFORE DELETE ON settlement_item
  FOR EACH ROW EXECUTE FUNCTION settlement_refuse_change();
CREATE TRIGGER item_no_truncate BEFORE TRUNCATE ON settlement_item
  FOR EACH STATEMENT EXECUTE FUNCTION settlement_refuse_change();

-- An exposure changes its state only.
CREATE FUNCTION settlement_exposure_guard() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (NEW.id, NEW.merchant_id, NEW.item_id, NEW.currency, NEW.amount_minor, NEW.opened_at)
     IS DISTINCT FROM
     (OLD.id, OLD.merchant_id, OLD.item_id, OLD.currency, OLD.amount_minor, OLD.opened_at)
     OR (NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
       ('UNFUNDED', 'FUNDED'), ('UNFUNDED', 'RECOVERED'), ('FUNDED', 'RECOVERED'))) THEN
    RAISE EXCEPTION 'settlement.illegal_transition: exposure % from % to %',
      OLD.id, OLD.state, NEW.state USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER exposure_guard BEFORE UPDATE ON settlement_exposure
  FOR EACH ROW EXECUTE FUNCTION settlement_exposure_guard();
CREATE TRIGGER exposure_append_only BEFORE DELETE ON settlement_exposure
  FOR EACH ROW EXECUTE FUNCTION settlement_refuse_change();
