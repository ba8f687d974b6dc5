-- History of configuration and people tables: one trigger function for all of them, whoever writes
-- and however. Trigger arguments: mask:<column> is kept as '***'; ignore:<column> is left out, and
-- a change of nothing else is no change. key:<column> names the row where the table has no id. The
-- function's owner writes; the product's role only reads, so it cannot forge or drop a line.
-- An unstamped change names the database's role and the address its connection came from.
ALTER TABLE public.foundation_history
  ADD COLUMN IF NOT EXISTS origin varchar(100) NOT NULL DEFAULT '';

CREATE OR REPLACE FUNCTION public.foundation_history() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  old_row jsonb; new_row jsonb; argument text; name text; key text := 'id';
BEGIN
  IF TG_OP <> 'INSERT' THEN old_row := to_jsonb(OLD); END IF;
  IF TG_OP <> 'DELETE' THEN new_row := to_jsonb(NEW); END IF;
  FOREACH argument IN ARRAY TG_ARGV LOOP
    name := split_part(argument, ':', 2);
    IF argument LIKE 'key:%' THEN
      key := name;
    ELSIF argument LIKE 'ignore:%' THEN
      old_row := old_row - name;
      new_row := new_row - name;
    END IF;
  END LOOP;
  IF old_row = new_row THEN RETURN NULL; END IF;
  FOREACH argument IN ARRAY TG_ARGV LOOP
    name := split_part(argument, ':', 2);
    IF argument LIKE 'mask:%' THEN
      -- untouched: leave it out, else it would look changed
      IF old_row -> name = new_row -> name THEN
        old_row := old_row - name;
        new_row := new_row - name;
      ELSE
        old_row := old_row || jsonb_build_object(name, '***');  -- null stays null
        new_row := new_row || jsonb_build_object(name, '*** (new)');
      END IF;
    END IF;
  END LOOP;
  INSERT INTO public.foundation_history
    ("table", row_id, operation, before, after, actor, request_id, origin)
  VALUES (TG_TABLE_NAME, coalesce(new_row, old_row) ->> key, TG_OP, old_row, new_row,
    coalesce(nullif(current_setting('countinghouse.actor', true), ''), 'database:' || session_user),
    coalesce(current_setting('countinghouse.request_id', true), ''),
    coalesce(nullif(current_setting('countinghouse.origin', true), ''),
      host(inet_client_addr()), ''));
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION public.foundation_history() FROM PUBLIC;
