-- The triggers of the ledger's tables (docs/rules/ledger.md). `ledger_guards(false)` takes them
-- off, `ledger_guards(true)` puts them back: copying data in fires them. Accounts have none before
-- UPDATE: PostgreSQL would lock every row once more for it, called or not, while others wait.

-- Whoever names no stamp gets the right one from the column itself; the trigger is called for a
-- forged one alone, which spares a call for each of the many rows that are honest.
ALTER TABLE ledger_entry ALTER xid8 SET DEFAULT pg_current_xact_id(),
                         ALTER booked_at SET DEFAULT transaction_timestamp();
ALTER TABLE ledger_posting ALTER xid8 SET DEFAULT pg_current_xact_id(),
                           ALTER booked_at SET DEFAULT transaction_timestamp();

CREATE OR REPLACE FUNCTION ledger_guards(p_on boolean) RETURNS void LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE
  v_guard record;
  v_forged CONSTANT text := 'ROW WHEN (NEW.xid8 IS DISTINCT FROM pg_current_xact_id()'
    ' OR NEW.booked_at IS DISTINCT FROM transaction_timestamp())';
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
      ('ledger_entry', 'stamp', 'BEFORE INSERT', v_forged, 'ledger_stamp'),
      ('ledger_posting', 'stamp', 'BEFORE INSERT', v_forged, 'ledger_stamp'),
      ('ledger_hold', 'resolved_once', 'BEFORE UPDATE', 'ROW', 'ledger_check_hold_change'),
      ('ledger_account', 'nature_kept', 'AFTER UPDATE OF merchant_id, kind, currency, ref_kind,'
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
