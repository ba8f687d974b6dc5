-- The product reads the ledger and calls its functions; only the writer, whom nobody logs in as,
-- writes. Without the two roles (a server with one role) nothing is taken away and `doctor` says
-- so.
DO $$
DECLARE
  v_table    text;
  v_function record;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'countinghouse_writer')
     OR NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'countinghouse_product') THEN
    RAISE NOTICE 'The roles of countinghouse are missing: the role guard is off.';
    RETURN;
  END IF;
  FOREACH v_table IN ARRAY ARRAY[
    'ledger_subject', 'ledger_account_kind', 'ledger_ability', 'ledger_accounting_day',
    'ledger_account', 'ledger_entry', 'ledger_posting', 'ledger_posting_line', 'ledger_hold'
  ] LOOP
    EXECUTE format('REVOKE ALL ON %I FROM countinghouse_product', v_table);
    EXECUTE format('GRANT SELECT ON %I TO countinghouse_product, countinghouse_writer', v_table);
  END LOOP;
  GRANT SELECT ON merchants_merchant TO countinghouse_writer;
  GRANT INSERT ON ledger_account, ledger_entry, ledger_posting, ledger_posting_line, ledger_hold
     TO countinghouse_writer;
  GRANT UPDATE ON ledger_account, ledger_hold TO countinghouse_writer;
  GRANT USAGE ON SEQUENCE ledger_account_id_seq TO countinghouse_writer;
  REVOKE ALL ON ledger_intake_posting, ledger_intake_line, ledger_intake_hold, ledger_intake_entry
    FROM countinghouse_product;
  GRANT SELECT, INSERT ON ledger_intake_posting, ledger_intake_line, ledger_intake_hold
     TO countinghouse_product;
  GRANT SELECT, INSERT, UPDATE, DELETE
     ON ledger_intake_posting, ledger_intake_line, ledger_intake_hold, ledger_intake_entry
     TO countinghouse_writer;
  FOR v_function IN
    SELECT p.oid::regprocedure AS signature, p.prosecdef, p.proname
      FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'ledger\_%'
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_function.signature);
    IF v_function.prosecdef THEN
      EXECUTE format('ALTER FUNCTION %s OWNER TO countinghouse_writer', v_function.signature);
    END IF;
    IF v_function.prosecdef OR v_function.proname IN (
         'ledger_balance_as_of', 'ledger_seq_as_of', 'ledger_open_date') THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO countinghouse_product', v_function.signature);
    END IF;
    IF v_function.proname <> 'ledger_guards' THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO countinghouse_writer', v_function.signature);
    END IF;
  END LOOP;
END $$;
