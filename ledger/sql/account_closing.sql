-- The end of accounts (docs/rules/ledger.md, LG-13): those of a CLOSED merchant are closed, each
-- with its line. A closed account is empty and can hold nothing (CHECK `account_closed_is_empty`);
-- what comes late is still booked and opens it again, with a line that names what came.

-- Close every account that ends with its merchant, once the merchant is CLOSED; return how many.
CREATE OR REPLACE FUNCTION ledger_close_accounts(
  p_merchant_ids bigint[], p_actor text, p_request_id text
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_bad    record;
  v_closed bigint;
BEGIN
  SELECT w.id INTO v_bad FROM unnest(p_merchant_ids) AS w (id)
    LEFT JOIN public.merchants_merchant m ON m.id = w.id
   WHERE (m.status = 'CLOSED') IS NOT TRUE LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'ledger.merchant_not_closed' USING ERRCODE = 'LG014',
      DETAIL = json_build_object('merchant', v_bad.id)::text;
  END IF;
  PERFORM 1 FROM public.ledger_account a
     JOIN public.ledger_account_kind k ON k.kind = a.kind AND k.ends_with_merchant
    WHERE a.merchant_id = ANY (p_merchant_ids) AND a.closed_at IS NULL
    ORDER BY a.id FOR NO KEY UPDATE OF a;
  -- Asked anew under the lock: something may have been booked since the reasons were asked.
  SELECT a.id, a.kind, a.currency, a.balance, a.held INTO v_bad
    FROM public.ledger_account a
    JOIN public.ledger_account_kind k ON k.kind = a.kind AND k.ends_with_merchant
   WHERE a.merchant_id = ANY (p_merchant_ids) AND (a.balance <> 0 OR a.held <> 0)
   ORDER BY a.id LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'ledger.account_not_empty' USING ERRCODE = 'LG015',
      DETAIL = json_build_object('account', v_bad.id, 'kind', v_bad.kind, 'currency',
        v_bad.currency, 'balance', v_bad.balance, 'held', v_bad.held)::text;
  END IF;
  WITH closed AS (
    UPDATE public.ledger_account a SET closed_at = clock_timestamp()
      FROM public.ledger_account_kind k
     WHERE k.kind = a.kind AND k.ends_with_merchant
       AND a.merchant_id = ANY (p_merchant_ids) AND a.closed_at IS NULL
    RETURNING a.merchant_id, a.id, a.closed_at
  )
  INSERT INTO public.ledger_account_step (merchant_id, account_id, step, at, actor, request_id)
  SELECT c.merchant_id, c.id, 'CLOSED', c.closed_at, p_actor, p_request_id
    FROM closed c ORDER BY c.id;
  GET DIAGNOSTICS v_closed = ROW_COUNT;
  RETURN v_closed;
END $$;

-- Open the accounts of merchants whose closing is taken up again; return how many.
CREATE OR REPLACE FUNCTION ledger_reopen_accounts(
  p_merchant_ids bigint[], p_actor text, p_request_id text
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_bad    bigint;
  v_opened bigint;
BEGIN
  SELECT m.id INTO v_bad FROM public.merchants_merchant m
   WHERE m.id = ANY (p_merchant_ids) AND m.status = 'CLOSED' LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'ledger.merchant_closed' USING ERRCODE = 'LG016',
      DETAIL = json_build_object('merchant', v_bad)::text;
  END IF;
  PERFORM 1 FROM public.ledger_account a
    WHERE a.merchant_id = ANY (p_merchant_ids) AND a.closed_at IS NOT NULL
    ORDER BY a.id FOR NO KEY UPDATE;
  WITH opened AS (
    UPDATE public.ledger_account a SET closed_at = NULL
     WHERE a.merchant_id = ANY (p_merchant_ids) AND a.closed_at IS NOT NULL
    RETURNING a.merchant_id, a.id
  )
  INSERT INTO public.ledger_account_step (merchant_id, account_id, step, at, actor, request_id)
  SELECT o.merchant_id, o.id, 'REOPENED', clock_timestamp(), p_actor, p_request_id
    FROM opened o ORDER BY o.id;
  GET DIAGNOSTICS v_opened = ROW_COUNT;
  RETURN v_opened;
END $$;

-- A posting opens a closed account again: whatever moves an account sets `closed_at` to null, and
-- here is its line. The entry is written before its accounts are moved, so the youngest one of this
-- transaction in this book is what came late.
CREATE OR REPLACE FUNCTION ledger_reopen_for_late_fact() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO public.ledger_account_step (merchant_id, account_id, step, entry_id, at, actor,
                                          request_id)
  SELECT OLD.merchant_id, OLD.id, 'REOPENED', max(e.id), clock_timestamp(),
         coalesce((array_agg(e.actor ORDER BY e.id DESC))[1], ''),
         coalesce((array_agg(e.request_id ORDER BY e.id DESC))[1], '')
    FROM (SELECT e.id, e.actor, e.request_id FROM public.ledger_entry e
           WHERE e.merchant_id = OLD.merchant_id AND e.xid8 = pg_current_xact_id()
           ORDER BY e.id DESC LIMIT 1) e;
  RETURN NULL;
END $$;

-- Asked of values at hand for each row; the function is called for closed accounts alone.
CREATE OR REPLACE TRIGGER late_fact_reopens AFTER UPDATE OF closed_at ON ledger_account
FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL AND NEW.seq <> OLD.seq)
EXECUTE FUNCTION ledger_reopen_for_late_fact();

-- Lines are read by the product and written by the functions above alone; the functions' own
-- grants are in grants.sql.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'countinghouse_writer')
     AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'countinghouse_product') THEN
    REVOKE ALL ON ledger_account_step FROM countinghouse_product;
    GRANT SELECT ON ledger_account_step TO countinghouse_product, countinghouse_writer;
    GRANT INSERT ON ledger_account_step TO countinghouse_writer;
  END IF;
END $$;
