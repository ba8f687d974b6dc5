-- Guards that tables of every package share.

-- Refuse UPDATE, DELETE (row trigger) and TRUNCATE (statement trigger): an append-only table.
CREATE OR REPLACE FUNCTION public.foundation_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'append_only: % refuses %', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'restrict_violation';
END $$;

-- A fact stays in the book it was written in; a spread database refuses this by itself.
CREATE OR REPLACE FUNCTION public.foundation_keep_merchant() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'merchant_never_changes: % of % stays in its book', OLD.id, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$;
