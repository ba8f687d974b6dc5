-- Due amounts are appended. Only an empty due date is ever filled, once.
CREATE FUNCTION settlement_due_fill_only() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_filled public.settlement_due;
BEGIN
  v_filled := OLD;
  v_filled.due_date := NEW.due_date;
  IF OLD.due_date IS NOT NULL OR NEW IS DISTINCT FROM v_filled THEN
    RAISE EXCEPTION 'settlement.append_only: only an empty due date may be filled'
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER due_fill_only BEFORE UPDATE ON settlement_due
  FOR EACH ROW EXECUTE FUNCTION settlement_due_fill_only();
CREATE TRIGGER due_append_only BEFORE DELETE ON settlement_due
  FOR EACH ROW EXECUTE FUNCTION settlement_refuse_change();
CREATE TRIGGER due_no_truncate BEFORE TRUNCATE ON settlement_due
  FOR EACH STATEMENT EXECUTE FUNCTION settlement_refuse_change();
