-- The guards of the ledger's tables: composite keys, checks and triggers (docs/rules/ledger.md).
-- `ledger_guards(false)` takes the triggers off, `ledger_guards(true)` puts them back: copying data
-- in fires them.

-- Kinds and accounts
ALTER TABLE ledger_account_kind
  ADD CONSTRAINT account_kind_nature UNIQUE (kind, normal_side, never_negative);
ALTER TABLE ledger_account
  ADD CONSTRAINT account_nature_fk FOREIGN KEY (kind, normal_side, never_negative)
      REFERENCES ledger_account_kind (kind, normal_side, never_negative),
  ADD CONSTRAINT account_in_book UNIQUE (merchant_id, id, kind, currency),
  ADD CONSTRAINT account_held_not_negative CHECK (held >= 0),
  ADD CONSTRAINT account_not_below_zero CHECK (NOT never_negative OR balance - held >= 0),
  ADD CONSTRAINT account_currency_shape CHECK (currency ~ '^[A-Z]{3}$');
ALTER TABLE ledger_account SET (fillfactor = 50);

-- Entries, postings, lines, holds
ALTER TABLE ledger_entry
  ADD CONSTRAINT entry_of_this_transaction UNIQUE (merchant_id, id, xid8, booked_at),
  ADD CONSTRAINT entry_cause_not_empty CHECK (source_kind <> '' AND source_id <> ''),
  ADD CONSTRAINT entry_not_its_own_reversal CHECK (reverses_id <> id);
CREATE UNIQUE INDEX entry_reversed_once ON ledger_entry (merchant_id, reverses_id)
  WHERE reverses_id IS NOT NULL;

ALTER TABLE ledger_posting
  ADD CONSTRAINT posting_amount_positive CHECK (amount_minor > 0),
  ADD CONSTRAINT posting_seq_positive CHECK (seq > 0),
  ADD CONSTRAINT posting_entry_fk FOREIGN KEY (merchant_id, entry_id, xid8, booked_at)
      REFERENCES ledger_entry (merchant_id, id, xid8, booked_at),
  ADD CONSTRAINT posting_account_fk FOREIGN KEY (merchant_id, account_id, account_kind, currency)
      REFERENCES ledger_account (merchant_id, id, kind, currency),
  ADD CONSTRAINT posting_ability_fk FOREIGN KEY (account_kind, operation, side)
      REFERENCES ledger_ability (account_kind, operation, side);

ALTER TABLE ledger_posting_line
  ADD CONSTRAINT line_amount_not_zero CHECK (amount_minor <> 0),
  ADD CONSTRAINT line_number_positive CHECK (line_no > 0),
  ADD CONSTRAINT line_posting_fk FOREIGN KEY (merchant_id, account_id, seq)
      REFERENCES ledger_posting (merchant_id, account_id, seq);

ALTER TABLE ledger_hold
  ADD CONSTRAINT hold_amount_positive CHECK (amount_minor > 0),
  ADD CONSTRAINT hold_resolution CHECK (
      (state = 'OPEN' AND resolved_at IS NULL AND captured_minor IS NULL AND entry_id IS NULL)
   OR (state = 'RELEASED' AND resolved_at IS NOT NULL AND captured_minor IS NULL
       AND entry_id IS NULL)
   OR (state = 'CAPTURED' AND resolved_at IS NOT NULL AND entry_id IS NOT NULL
       AND captured_minor BETWEEN 1 AND amount_minor)),
  ADD CONSTRAINT hold_account_fk FOREIGN KEY (merchant_id, account_id, account_kind, currency)
      REFERENCES ledger_account (merchant_id, id, kind, currency),
  ADD CONSTRAINT hold_ability_fk FOREIGN KEY (account_kind, operation, side)
      REFERENCES ledger_ability (account_kind, operation, side);
CREATE INDEX hold_open_by_account ON ledger_hold (merchant_id, account_id) WHERE state = 'OPEN';

-- Stamped here and never by a default, so a forged value is overwritten.
CREATE FUNCTION ledger_stamp() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.xid8 := pg_current_xact_id();
  NEW.booked_at := transaction_timestamp();
  RETURN NEW;
END $$;

CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'ledger.append_only' USING ERRCODE = 'LG010',
    DETAIL = json_build_object('operation', TG_OP, 'table', TG_TABLE_NAME)::text;
END $$;

-- Per entry and currency the postings of this statement balance and are two or more; a `reverse`
-- mirrors the entry it names. All postings of an entry go in one statement.
CREATE FUNCTION ledger_check_postings() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_bad record;
BEGIN
  SELECT n.entry_id, n.currency, count(*) AS postings,
         sum(CASE n.side WHEN 'DR' THEN n.amount_minor ELSE -n.amount_minor END) AS difference
    INTO v_bad
    FROM new_postings n
   GROUP BY n.merchant_id, n.entry_id, n.currency
  HAVING count(*) < 2
      OR sum(CASE n.side WHEN 'DR' THEN n.amount_minor ELSE -n.amount_minor END) <> 0
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'ledger.unbalanced_entry' USING ERRCODE = 'LG001', DETAIL = json_build_object(
      'entry', v_bad.entry_id, 'currency', v_bad.currency, 'postings', v_bad.postings,
      'difference', v_bad.difference)::text;
  END IF;
  IF EXISTS (SELECT FROM new_postings n WHERE n.operation = 'reverse') THEN
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
CREATE FUNCTION ledger_check_lines() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM 1
     FROM (SELECT DISTINCT n.merchant_id, n.account_id, n.seq, n.posting_id FROM new_lines n) d
     LEFT JOIN public.ledger_posting p
       ON p.merchant_id = d.merchant_id AND p.account_id = d.account_id AND p.seq = d.seq
      AND p.id = d.posting_id
     LEFT JOIN public.ledger_account a ON a.merchant_id = p.merchant_id AND a.id = p.account_id
     LEFT JOIN LATERAL (
            SELECT sum(l.amount_minor) AS total FROM public.ledger_posting_line l
             WHERE l.merchant_id = d.merchant_id AND l.account_id = d.account_id
               AND l.seq = d.seq) s ON true
    WHERE p.id IS NULL OR p.xid8 <> pg_current_xact_id() OR p.booked_at <> transaction_timestamp()
       OR s.total <> CASE WHEN p.side = a.normal_side THEN p.amount_minor ELSE -p.amount_minor END;
  IF FOUND THEN
    RAISE EXCEPTION 'ledger.lines_do_not_sum' USING ERRCODE = 'LG003', DETAIL = '{}';
  END IF;
  RETURN NULL;
END $$;

-- A backstop at COMMIT: an entry without postings is refused.
CREATE FUNCTION ledger_check_entry() RETURNS trigger LANGUAGE plpgsql
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
CREATE FUNCTION ledger_check_hold_change() RETURNS trigger LANGUAGE plpgsql
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

CREATE FUNCTION ledger_check_account_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'ledger.account_nature' USING ERRCODE = 'LG011',
    DETAIL = json_build_object('account', OLD.id)::text;
END $$;

CREATE FUNCTION ledger_guards(p_on boolean) RETURNS void LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE
  v_guard record;
BEGIN
  FOR v_guard IN
    SELECT * FROM (VALUES
      ('ledger_entry', 'append_only', 'BEFORE UPDATE OR DELETE', 'ROW', 'ledger_refuse_change'),
      ('ledger_posting', 'append_only', 'BEFORE UPDATE OR DELETE', 'ROW', 'ledger_refuse_change'),
      ('ledger_posting_line', 'append_only', 'BEFORE UPDATE OR DELETE', 'ROW',
          'ledger_refuse_change'),
      ('ledger_account', 'never_deleted', 'BEFORE DELETE', 'ROW', 'ledger_refuse_change'),
      ('ledger_hold', 'never_deleted', 'BEFORE DELETE', 'ROW', 'ledger_refuse_change'),
      ('ledger_entry', 'never_truncated', 'BEFORE TRUNCATE', 'STATEMENT', 'ledger_refuse_change'),
      ('ledger_posting', 'never_truncated', 'BEFORE TRUNCATE', 'STATEMENT', 'ledger_refuse_change'),
      ('ledger_posting_line', 'never_truncated', 'BEFORE TRUNCATE', 'STATEMENT',
          'ledger_refuse_change'),
      ('ledger_account', 'never_truncated', 'BEFORE TRUNCATE', 'STATEMENT', 'ledger_refuse_change'),
      ('ledger_hold', 'never_truncated', 'BEFORE TRUNCATE', 'STATEMENT', 'ledger_refuse_change'),
      ('ledger_entry', 'stamp', 'BEFORE INSERT', 'ROW', 'ledger_stamp'),
      ('ledger_posting', 'stamp', 'BEFORE INSERT', 'ROW', 'ledger_stamp'),
      ('ledger_hold', 'resolved_once', 'BEFORE UPDATE', 'ROW', 'ledger_check_hold_change'),
      ('ledger_account', 'nature_kept', 'BEFORE UPDATE OF merchant_id, kind, currency, ref_kind,'
        ' ref_id, normal_side, never_negative, opened_at', 'ROW', 'ledger_check_account_change')
    ) AS guard (tablename, name, moment, each, function)
  LOOP
    EXECUTE format('DROP TRIGGER IF EXISTS %I ON %I', v_guard.name, v_guard.tablename);
    IF p_on THEN
      EXECUTE format('CREATE TRIGGER %I %s ON %I FOR EACH %s EXECUTE FUNCTION %I()', v_guard.name,
        v_guard.moment, v_guard.tablename, v_guard.each, v_guard.function);
    END IF;
  END LOOP;
  DROP TRIGGER IF EXISTS balanced ON ledger_posting;
  DROP TRIGGER IF EXISTS lines_sum ON ledger_posting_line;
  DROP TRIGGER IF EXISTS has_postings ON ledger_entry;
  IF p_on THEN
    CREATE TRIGGER balanced AFTER INSERT ON ledger_posting REFERENCING NEW TABLE AS new_postings
      FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_postings();
    CREATE TRIGGER lines_sum AFTER INSERT ON ledger_posting_line REFERENCING NEW TABLE AS new_lines
      FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_lines();
    CREATE CONSTRAINT TRIGGER has_postings AFTER INSERT ON ledger_entry
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_check_entry();
  END IF;
END $$;

SELECT ledger_guards(true);
