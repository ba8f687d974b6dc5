-- The functions of the ledger's triggers, which triggers.sql puts on the tables.

-- A forged stamp is overwritten; an honest one never comes here (triggers.sql).
CREATE OR REPLACE FUNCTION ledger_stamp() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.xid8 := pg_current_xact_id();
  NEW.booked_at := transaction_timestamp();
  RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'ledger.append_only' USING ERRCODE = 'LG010',
    DETAIL = json_build_object('operation', TG_OP, 'table', TG_TABLE_NAME)::text;
END $$;

-- Per entry and currency the postings of this statement balance and are two or more; a `reverse`
-- mirrors the entry it names. All postings of an entry go in one statement.
CREATE OR REPLACE FUNCTION ledger_check_postings() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_bad   record;
  v_cause record;
BEGIN
  -- Nearly every statement carries one plain entry in one currency: no need to group and to sort.
  PERFORM 1
     FROM new_postings n
   HAVING count(*) > 1 AND min(n.entry_id) = max(n.entry_id) AND min(n.currency) = max(n.currency)
      AND sum(CASE n.side WHEN 'DR' THEN n.amount_minor ELSE -n.amount_minor END) = 0
      AND NOT bool_or(n.operation = 'reverse');
  IF FOUND THEN
    RETURN NULL;
  END IF;
  -- What is askew before what reverses: one look at the rows for both questions.
  SELECT n.entry_id, n.currency, count(*) AS postings,
         sum(CASE n.side WHEN 'DR' THEN n.amount_minor ELSE -n.amount_minor END) AS difference,
         bool_or(n.operation = 'reverse') AS reverses
    INTO v_bad
    FROM new_postings n
   GROUP BY n.merchant_id, n.entry_id, n.currency
  HAVING count(*) < 2 OR bool_or(n.operation = 'reverse')
      OR sum(CASE n.side WHEN 'DR' THEN n.amount_minor ELSE -n.amount_minor END) <> 0
   ORDER BY sum(CASE n.side WHEN 'DR' THEN n.amount_minor ELSE -n.amount_minor END) = 0, count(*)
   LIMIT 1;
  IF v_bad.postings < 2 OR v_bad.difference <> 0 THEN
    SELECT e.source_kind, e.source_id INTO v_cause
      FROM public.ledger_entry e WHERE e.id = v_bad.entry_id;
    RAISE EXCEPTION 'ledger.unbalanced_entry' USING ERRCODE = 'LG001', DETAIL = json_build_object(
      'source_kind', v_cause.source_kind, 'source_id', v_cause.source_id,
      'currency', v_bad.currency, 'postings', v_bad.postings,
      'difference', v_bad.difference)::text;
  END IF;
  IF v_bad.reverses THEN
    PERFORM 1
       FROM (SELECT DISTINCT n.merchant_id, n.entry_id FROM new_postings n
              WHERE n.operation = 'reverse') d
       JOIN public.ledger_entry e ON e.merchant_id = d.merchant_id AND e.id = d.entry_id
      WHERE e.reverses_id IS NULL
         OR EXISTS (  -- any (account, side, amount) that does not come as often here as there
              SELECT FROM (
                SELECT p.account_id, p.amount_minor, 1 AS weight,
                       CASE p.side WHEN 'DR' THEN 'CR' ELSE 'DR' END AS side
                  FROM public.ledger_posting p
                 WHERE p.merchant_id = e.merchant_id AND p.entry_id = e.reverses_id
                UNION ALL
                SELECT p.account_id, p.amount_minor,
                       CASE p.operation WHEN 'reverse' THEN -1 ELSE 1000 END, p.side
                  FROM new_postings p
                 WHERE p.merchant_id = e.merchant_id AND p.entry_id = e.id) both_entries
              GROUP BY account_id, side, amount_minor
              HAVING sum(weight) <> 0);
    IF FOUND THEN
      RAISE EXCEPTION 'ledger.not_a_mirror' USING ERRCODE = 'LG002', DETAIL = '{}';
    END IF;
  END IF;
  RETURN NULL;
END $$;

-- Lines belong to a posting of this very transaction, and all stored lines of it sum to it.
CREATE OR REPLACE FUNCTION ledger_check_lines() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_bad record;
BEGIN
  SELECT e.source_kind, e.source_id, s.total, p.amount_minor INTO v_bad
     FROM (SELECT DISTINCT n.merchant_id, n.account_id, n.seq, n.posting_id FROM new_lines n) d
     LEFT JOIN public.ledger_posting p
       ON p.merchant_id = d.merchant_id AND p.account_id = d.account_id AND p.seq = d.seq
      AND p.id = d.posting_id
     LEFT JOIN public.ledger_account a ON a.merchant_id = p.merchant_id AND a.id = p.account_id
     LEFT JOIN LATERAL (
            SELECT sum(l.amount_minor) AS total FROM public.ledger_posting_line l
             WHERE l.merchant_id = d.merchant_id AND l.account_id = d.account_id
               AND l.seq = d.seq) s ON true
     LEFT JOIN public.ledger_entry e ON e.merchant_id = p.merchant_id AND e.id = p.entry_id
    WHERE p.id IS NULL OR p.xid8 <> pg_current_xact_id() OR p.booked_at <> transaction_timestamp()
       OR s.total <> CASE WHEN p.side = a.normal_side THEN p.amount_minor ELSE -p.amount_minor END
    LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'ledger.lines_do_not_sum' USING ERRCODE = 'LG003', DETAIL = json_build_object(
      'source_kind', v_bad.source_kind, 'source_id', v_bad.source_id, 'lines', v_bad.total,
      'posting', v_bad.amount_minor)::text;
  END IF;
  RETURN NULL;
END $$;

-- A backstop at COMMIT: an entry without postings is refused.
CREATE OR REPLACE FUNCTION ledger_check_entry() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.ledger_posting p
                  WHERE p.merchant_id = NEW.merchant_id AND p.entry_id = NEW.id) THEN
    RAISE EXCEPTION 'ledger.empty_entry' USING ERRCODE = 'LG004',
      DETAIL = json_build_object('entry', NEW.id)::text;
  END IF;
  RETURN NULL;
END $$;

-- A hold is resolved once, and only its resolution may change.
CREATE OR REPLACE FUNCTION ledger_check_hold_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF OLD.state <> 'OPEN' OR NEW.state = 'OPEN'
     OR (NEW.merchant_id, NEW.account_id, NEW.operation, NEW.side, NEW.amount_minor,
         NEW.source_kind, NEW.source_id, NEW.opened_at)
        IS DISTINCT FROM
        (OLD.merchant_id, OLD.account_id, OLD.operation, OLD.side, OLD.amount_minor,
         OLD.source_kind, OLD.source_id, OLD.opened_at) THEN
    RAISE EXCEPTION 'ledger.hold_resolved' USING ERRCODE = 'LG005',
      DETAIL = json_build_object('hold', OLD.id, 'state', OLD.state)::text;
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION ledger_check_account_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'ledger.account_nature' USING ERRCODE = 'LG011',
    DETAIL = json_build_object('account', OLD.id)::text;
END $$;
