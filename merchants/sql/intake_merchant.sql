-- The merchants one import has just stored, for those who listen to `merchants_imported` (call_id
-- in the payload). Written and emptied inside the transaction of the import.
CREATE UNLOGGED TABLE public.merchants_intake_merchant (
  call_id uuid NOT NULL,
  row_no bigint NOT NULL,
  merchant_id bigint NOT NULL,
  merchant_no text NOT NULL,
  name text NOT NULL,
  registration_no text NOT NULL,
  city text NOT NULL,
  region text NOT NULL,
  country text NOT NULL,
  schedule text NOT NULL,
  PRIMARY KEY (call_id, row_no)
);
