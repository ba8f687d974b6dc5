-- Lines: appended only, keyed by what they settle, and per insert proved against their items.

-- Django believes in `id` (the due amount's); the database keeps one index less.
ALTER TABLE settlement_line DROP CONSTRAINT settlement_line_pkey;
ALTER TABLE settlement_line DROP CONSTRAINT line_one_per_source;
ALTER TABLE settlement_line
  ADD CONSTRAINT line_one_per_source PRIMARY KEY (merchant_id, source_id, source_kind);

-- All lines of an item come in one statement: they are its count and sum up to its net, in the same
-- book, while it is being collected. A statement with a transition table costs a pass over the new
-- rows; a foreign key for each of a million lines costs more than the lines.
CREATE FUNCTION settlement_check_lines() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_bad record;
BEGIN
  SELECT n.item_id, n.net, i.net_minor INTO v_bad
    FROM (SELECT l.merchant_id, l.item_id, count(*) AS lines, sum(l.amount_minor) AS net
            FROM new_lines l GROUP BY l.merchant_id, l.item_id) n
    LEFT JOIN public.settlement_item i ON i.merchant_id = n.merchant_id AND i.id = n.item_id
   WHERE i.id IS NULL OR i.state <> 'COLLECTED' OR i.net_minor <> n.net OR i.line_count <> n.lines
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'settlement.lines_do_not_sum: item % has net %, its new lines %',
      v_bad.item_id, v_bad.net_minor, v_bad.net USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER line_sums AFTER INSERT ON settlement_line
  REFERENCING NEW TABLE AS new_lines
  FOR EACH STATEMENT EXECUTE FUNCTION settlement_check_lines();
CREATE TRIGGER line_append_only BEFORE UPDATE OR DELETE ON settlement_line
  FOR EACH ROW EXECUTE FUNCTION settlement_refuse_change();
CREATE TRIGGER line_no_truncate BEFORE TRUNCATE ON settlement_line
  FOR EACH STATEMENT EXECUTE FUNCTION settlement_refuse_change();
