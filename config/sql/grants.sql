-- Run by the owner in each new database, before the first migration: what the product's role may do
-- by default. The ledger's migration takes its write rights away again, table by table.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'countinghouse_writer') THEN
    -- CREATE only while functions change owner
    GRANT USAGE, CREATE ON SCHEMA public TO countinghouse_writer;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'countinghouse_product') THEN
    GRANT USAGE ON SCHEMA public TO countinghouse_product;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public
      GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO countinghouse_product;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO countinghouse_product;
  END IF;
END $$;
