-- The guards of the ledger's tables: composite keys and checks (docs/rules/ledger.md); their
-- triggers are in triggers.sql.

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
  ADD CONSTRAINT entry_occurred_in_range CHECK (occurred_at BETWEEN '1970-01-01 00:00+00'
      AND '2200-01-01 00:00+00'),
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
  ADD CONSTRAINT hold_cause_not_empty CHECK (source_kind <> '' AND source_id <> ''),
  ADD CONSTRAINT hold_expires_in_range CHECK (expires_at BETWEEN '1970-01-01 00:00+00'
      AND '2200-01-01 00:00+00'),
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
