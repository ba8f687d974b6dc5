-- Schedules: rows that are never changed, and the due date they give.

CREATE FUNCTION settlement_refuse_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'settlement.append_only: % of % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER schedule_append_only BEFORE UPDATE OR DELETE ON settlement_schedule
  FOR EACH ROW EXECUTE FUNCTION settlement_refuse_change();
CREATE TRIGGER schedule_no_truncate BEFORE TRUNCATE ON settlement_schedule
  FOR EACH STATEMENT EXECUTE FUNCTION settlement_refuse_change();

-- The due date of a fact of a business date under a schedule (SCH-2 to SCH-6). NULL: by hand, or
-- the calendar does not reach that far. The twin of settlement.selectors.schedule.due_date.
CREATE FUNCTION settlement_due_date(p_code text, p_from date) RETURNS date
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN p_code = 'MANUAL' THEN NULL
    WHEN p_code LIKE 'T%' THEN
      public.foundation_add_business_days(p_from, substr(p_code, 2)::integer)
    WHEN p_code LIKE 'D%' THEN p_from + substr(p_code, 2)::integer
    WHEN p_code LIKE 'WEEKLY:%' THEN  -- the next such day, never the same day
      p_from + 1 + mod(substr(p_code, 8)::integer - extract(isodow FROM p_from)::integer + 6, 7)
    WHEN p_code LIKE 'MONTHLY:%' THEN
      (date_trunc('month', p_from)
        + CASE WHEN extract(day FROM p_from) < substr(p_code, 9)::integer
               THEN interval '0' ELSE interval '1 month' END)::date
      + substr(p_code, 9)::integer - 1
  END
$$;
