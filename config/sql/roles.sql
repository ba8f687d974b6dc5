-- The roles of one server, made once by a superuser or a CREATEROLE user
-- (docs/decisions/0004-roles.md). Roles belong to the server, so tests and several checkouts on one
-- server share them. Safe to run again.
--   countinghouse_writer   nobody logs in as it; owns the functions that write the ledger
--   countinghouse_product  group: what the running product may do (call and read the ledger)
--   countinghouse_owner    migrates; member of writer so that it can hand functions over to it
--   countinghouse_app      the product's log-in
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'countinghouse_writer') THEN
    CREATE ROLE countinghouse_writer NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'countinghouse_product') THEN
    CREATE ROLE countinghouse_product NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'countinghouse_owner') THEN
    CREATE ROLE countinghouse_owner LOGIN CREATEDB;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'countinghouse_app') THEN
    CREATE ROLE countinghouse_app LOGIN;
  END IF;
  GRANT countinghouse_writer TO countinghouse_owner;
  GRANT countinghouse_product TO countinghouse_app;
EXCEPTION WHEN unique_violation OR duplicate_object THEN
  NULL;  -- another checkout made them this very moment
END $$;
