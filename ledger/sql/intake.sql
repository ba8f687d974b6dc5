-- Where set-based callers lay what is to be booked in bulk: permanent UNLOGGED tables by call id,
-- since a function that runs as the writer cannot read its caller's temporary tables. The rows of
-- a call are gone when it is booked.
CREATE UNLOGGED TABLE ledger_intake_posting (
  call_id      uuid   NOT NULL,
  ord          bigint GENERATED ALWAYS AS IDENTITY,
  merchant_id  bigint NOT NULL,
  source_kind  text   NOT NULL,
  source_id    text   NOT NULL,
  account_id   bigint NOT NULL,
  operation    text   NOT NULL,
  side         text   NOT NULL,
  amount_minor bigint NOT NULL,
  hold_id      bigint  -- this posting captures that hold; the rest of the hold is released
);
CREATE INDEX intake_posting_by_call ON ledger_intake_posting (call_id);

-- Lines of a posting of the same call, by (merchant, cause, account, operation); positive grows.
CREATE UNLOGGED TABLE ledger_intake_line (
  call_id      uuid   NOT NULL,
  ord          bigint NOT NULL,
  merchant_id  bigint NOT NULL,
  source_kind  text   NOT NULL,
  source_id    text   NOT NULL,
  account_id   bigint NOT NULL,
  operation    text   NOT NULL,
  fact_kind    text   NOT NULL,
  fact_id      bigint NOT NULL,
  amount_minor bigint NOT NULL
);
CREATE INDEX intake_line_by_call ON ledger_intake_line (call_id);

CREATE UNLOGGED TABLE ledger_intake_hold (
  call_id      uuid   NOT NULL,
  merchant_id  bigint NOT NULL,
  account_id   bigint NOT NULL,
  operation    text   NOT NULL,
  amount_minor bigint NOT NULL,
  source_kind  text   NOT NULL,
  source_id    text   NOT NULL,
  reason       text   NOT NULL DEFAULT '',
  expires_at   timestamptz
);
CREATE INDEX intake_hold_by_call ON ledger_intake_hold (call_id);

-- The entries that a running bulk call made, by cause; used inside ledger_post_bulk only.
CREATE UNLOGGED TABLE ledger_intake_entry (
  call_id     uuid   NOT NULL,
  merchant_id bigint NOT NULL,
  source_kind text   NOT NULL,
  source_id   text   NOT NULL,
  content     bytea  NOT NULL,
  entry_id    bigint  -- empty while the entry is not known to be new
);
-- The whole cause: rows come and go so fast that the planner's statistics are never right, and a
-- join by call_id alone could walk all entries of the call for each of its postings.
CREATE UNIQUE INDEX intake_entry_by_cause
  ON ledger_intake_entry (call_id, merchant_id, source_kind, source_id);

-- The open accounting day; `open_date` empty means today in the institution's zone and cut-off.
CREATE TABLE ledger_accounting_day (
  only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  zone      text NOT NULL,
  cut_off   interval NOT NULL,
  open_date date
);
