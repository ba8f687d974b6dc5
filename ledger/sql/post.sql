-- The functions that write the ledger, one entry or one hold at a time (docs/rules/ledger.md).
-- They run as the writer, name every table with its schema, and lock holds before accounts and
-- accounts in ascending id. `held` and `balance` change only here and in bulk.sql.

-- The day that is open for booking.
CREATE OR REPLACE FUNCTION ledger_open_date() RETURNS date LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(d.open_date, ((transaction_timestamp() AT TIME ZONE d.zone) - d.cut_off)::date)
    FROM public.ledger_accounting_day d
$$;

-- Make the slices that are missing, set-based; safe to race. Accounts are locked in ascending id,
-- and the one that most entries share should be locked last: who waits for it then waits for less.
-- That is a merchant's only account of a kind, not one of its slices by channel, so accounts
-- without a reference have ids beyond those with one (LG-12).
CREATE OR REPLACE FUNCTION ledger_open_accounts(
  p_merchant_ids bigint[], p_kinds text[], p_currencies text[], p_ref_kinds text[], p_ref_ids text[]
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_bad record;
BEGIN
  SELECT w.merchant_id, w.kind INTO v_bad  -- the shorter of two arrays is filled up with nulls
    FROM unnest(p_merchant_ids, p_kinds, p_currencies, p_ref_kinds, p_ref_ids)
         AS w (merchant_id, kind, currency, ref_kind, ref_id)
    LEFT JOIN public.ledger_account_kind k ON k.kind = w.kind
    LEFT JOIN public.merchants_merchant m ON m.id = w.merchant_id
   WHERE k.kind IS NULL OR m.id IS NULL OR (k.house_only AND m.kind <> 'HOUSE') LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'ledger.account_refused' USING ERRCODE = 'LG012', DETAIL = json_build_object(
      'merchant', v_bad.merchant_id, 'kind', v_bad.kind)::text;
  END IF;
  INSERT INTO public.ledger_account (id, merchant_id, kind, currency, ref_kind, ref_id,
                                     normal_side, never_negative, balance, held, seq, opened_at)
  SELECT nextval('public.ledger_account_id_seq')
         + CASE WHEN missing.ref_id = '' THEN 1000000000000 ELSE 0 END,
         missing.*, 0, 0, 0, clock_timestamp()
    FROM (
      SELECT DISTINCT w.merchant_id, k.kind, w.currency, w.ref_kind, w.ref_id, k.normal_side,
             k.never_negative
        FROM unnest(p_merchant_ids, p_kinds, p_currencies, p_ref_kinds, p_ref_ids)
             AS w (merchant_id, kind, currency, ref_kind, ref_id)
        JOIN public.ledger_account_kind k ON k.kind = w.kind
       WHERE NOT EXISTS (
               SELECT FROM public.ledger_account a
                WHERE a.merchant_id = w.merchant_id AND a.kind = w.kind AND a.currency = w.currency
                  AND a.ref_kind = w.ref_kind AND a.ref_id = w.ref_id)
       ORDER BY 1, 2, 3, 4, 5) AS missing
  ON CONFLICT (merchant_id, kind, currency, ref_kind, ref_id) DO NOTHING;
END $$;

-- Lock accounts in ascending id within the caller's transaction and return what they hold now.
CREATE OR REPLACE FUNCTION ledger_lock(p_account_ids bigint[])
RETURNS TABLE (id bigint, balance bigint, held bigint)
LANGUAGE sql SECURITY DEFINER VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.id, a.balance, a.held FROM public.ledger_account a
   WHERE a.id = ANY (p_account_ids) ORDER BY a.id FOR NO KEY UPDATE
$$;

-- Why an account could not be moved, said by name; called only after an UPDATE that found no row.
CREATE OR REPLACE FUNCTION ledger_refuse_move(
  p_merchant_id bigint, p_account_id bigint, p_amount bigint
) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_account record;
BEGIN
  SELECT a.id, a.kind, a.currency, a.balance, a.held INTO v_account
    FROM public.ledger_account a WHERE a.merchant_id = p_merchant_id AND a.id = p_account_id;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'ledger.account_not_in_book' USING ERRCODE = 'LG006',
      DETAIL = json_build_object('account', p_account_id, 'merchant', p_merchant_id)::text;
  END IF;
  RAISE EXCEPTION 'ledger.insufficient_available_balance' USING ERRCODE = 'LG007',
    DETAIL = json_build_object('account', v_account.id, 'kind', v_account.kind,
      'currency', v_account.currency, 'available', v_account.balance - v_account.held,
      'asked', p_amount)::text;
END $$;

-- Book one balanced entry, or return the entry that this cause already made.
--   p_hold_ids    null, or one element per posting: that posting captures the hold (whole or in
--                 part; the rest is released in the same step)
--   p_reverses    the entry that this one mirrors, every posting with operation `reverse`
CREATE OR REPLACE FUNCTION ledger_post(
  p_merchant_id bigint, p_source_kind text, p_source_id text,
  p_account_ids bigint[], p_operations text[], p_sides text[], p_amounts bigint[],
  p_hold_ids bigint[], p_reverses bigint, p_occurred_at timestamptz, p_memo text,
  p_actor text, p_request_id text
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan AS $$  -- planning anew would be a third of the work
DECLARE
  v_count   integer := cardinality(p_account_ids);
  v_content bytea;
  v_entry   bigint;
  v_known   bytea;
  v_order   integer[];
  v_i       integer;
  v_hold    bigint;
  v_freed   bigint;
  v_balance bigint;
  v_seq     bigint;
  v_kind    text;
  v_currency text;
  v_posted_at timestamptz;
  v_kinds   text[] := array_fill(NULL::text, ARRAY[v_count]);
  v_currencies text[] := array_fill(NULL::text, ARRAY[v_count]);
  v_balances bigint[] := array_fill(NULL::bigint, ARRAY[v_count]);
  v_seqs    bigint[] := array_fill(NULL::bigint, ARRAY[v_count]);
  v_moments timestamptz[] := array_fill(NULL::timestamptz, ARRAY[v_count]);
BEGIN
  IF v_count IS NULL OR v_count < 2 OR cardinality(p_operations) <> v_count
     OR cardinality(p_sides) <> v_count OR cardinality(p_amounts) <> v_count
     OR (p_hold_ids IS NOT NULL AND cardinality(p_hold_ids) <> v_count) THEN
    RAISE EXCEPTION 'ledger.unbalanced_entry' USING ERRCODE = 'LG001',
      DETAIL = json_build_object('postings', v_count)::text;
  END IF;
  -- Whoever names an entry mirrors it and does nothing else; a reversal itself is never reversed.
  IF p_reverses IS NOT NULL THEN  -- asked alone: a condition that holds a query is run as one
    IF 'reverse' <> ANY (p_operations) OR NOT EXISTS (
         SELECT FROM public.ledger_entry e
          WHERE e.merchant_id = p_merchant_id AND e.id = p_reverses AND e.reverses_id IS NULL) THEN
      RAISE EXCEPTION 'ledger.not_a_mirror' USING ERRCODE = 'LG002',
        DETAIL = json_build_object('entry', p_reverses)::text;
    END IF;
  END IF;
  v_content := sha256(convert_to(concat_ws('|', p_account_ids::text, p_operations::text,
    p_sides::text, p_amounts::text, p_hold_ids::text, p_reverses), 'UTF8'));
  INSERT INTO public.ledger_entry (merchant_id, source_kind, source_id, content_sha256, reverses_id,
         accounting_date, occurred_at, memo, actor, request_id)
  VALUES (p_merchant_id, p_source_kind, p_source_id, v_content, p_reverses,
         public.ledger_open_date(), coalesce(p_occurred_at, clock_timestamp()),
         coalesce(p_memo, ''), p_actor, p_request_id)
  ON CONFLICT (merchant_id, source_kind, source_id) DO NOTHING
  RETURNING id INTO v_entry;
  IF v_entry IS NULL THEN
    SELECT e.id, e.content_sha256 INTO v_entry, v_known FROM public.ledger_entry e
     WHERE e.merchant_id = p_merchant_id AND e.source_kind = p_source_kind
       AND e.source_id = p_source_id;
    IF v_known = v_content THEN
      RETURN v_entry;
    END IF;
    RAISE EXCEPTION 'ledger.entry_conflict' USING ERRCODE = 'LG008', DETAIL = json_build_object(
      'entry', v_entry, 'source_kind', p_source_kind, 'source_id', p_source_id)::text;
  END IF;

  IF p_hold_ids IS NOT NULL THEN  -- holds before accounts
    PERFORM 1 FROM public.ledger_hold h
      WHERE h.merchant_id = p_merchant_id AND h.id = ANY (p_hold_ids) ORDER BY h.id FOR UPDATE;
  END IF;
  -- Ascending account id; within an account what grows it comes first. Most entries have two
  -- postings, which need no query to be put in order.
  IF v_count = 2 AND p_account_ids[1] < p_account_ids[2] THEN
    v_order := ARRAY[1, 2];
  ELSIF v_count = 2 AND p_account_ids[1] > p_account_ids[2] THEN
    v_order := ARRAY[2, 1];
  ELSE
    v_order := ARRAY(
      SELECT w.ord FROM unnest(p_account_ids, p_sides) WITH ORDINALITY AS w (account_id, side, ord)
        LEFT JOIN public.ledger_account a ON a.id = w.account_id
       ORDER BY w.account_id, w.side = a.normal_side DESC, w.ord);
  END IF;
  FOREACH v_i IN ARRAY v_order LOOP
    v_freed := 0;
    IF p_hold_ids IS NOT NULL AND p_hold_ids[v_i] IS NOT NULL THEN
      v_hold := p_hold_ids[v_i];
      UPDATE public.ledger_hold h
         SET state = 'CAPTURED', captured_minor = p_amounts[v_i], entry_id = v_entry,
             resolved_at = clock_timestamp(), resolved_by = p_actor
       WHERE h.merchant_id = p_merchant_id AND h.id = v_hold AND h.state = 'OPEN'
         AND h.account_id = p_account_ids[v_i] AND h.operation = p_operations[v_i]
         AND h.side = p_sides[v_i]
      RETURNING h.amount_minor INTO v_freed;
      IF v_freed IS NULL THEN
        RAISE EXCEPTION 'ledger.hold_resolved' USING ERRCODE = 'LG005',
          DETAIL = json_build_object('hold', v_hold)::text;
      END IF;
    END IF;
    UPDATE public.ledger_account a
       SET balance = a.balance
                   + CASE WHEN a.normal_side = p_sides[v_i]
                          THEN p_amounts[v_i] ELSE -p_amounts[v_i] END,
           held = a.held - v_freed,
           seq = a.seq + 1,
           posted_at = greatest(a.posted_at, clock_timestamp()),
           closed_at = NULL  -- what comes late opens it again (LG-13)
     WHERE a.merchant_id = p_merchant_id AND a.id = p_account_ids[v_i]
       AND (NOT a.never_negative OR a.normal_side = p_sides[v_i]
            OR a.balance - p_amounts[v_i] - (a.held - v_freed) >= 0)
    RETURNING a.balance, a.seq, a.kind, a.currency, a.posted_at
         INTO v_balance, v_seq, v_kind, v_currency, v_posted_at;
    IF NOT FOUND THEN
      PERFORM public.ledger_refuse_move(p_merchant_id, p_account_ids[v_i], p_amounts[v_i]);
    END IF;
    v_balances[v_i] := v_balance;
    v_seqs[v_i] := v_seq;
    v_kinds[v_i] := v_kind;
    v_currencies[v_i] := v_currency;
    v_moments[v_i] := v_posted_at;
  END LOOP;

  IF v_count = 2 THEN  -- as below, without a set to be made of arrays
    INSERT INTO public.ledger_posting (merchant_id, entry_id, account_id, account_kind, currency,
           operation, side, amount_minor, seq, balance_after, posted_at)
    VALUES (p_merchant_id, v_entry, p_account_ids[1], v_kinds[1], v_currencies[1],
            p_operations[1], p_sides[1], p_amounts[1], v_seqs[1], v_balances[1], v_moments[1]),
           (p_merchant_id, v_entry, p_account_ids[2], v_kinds[2], v_currencies[2],
            p_operations[2], p_sides[2], p_amounts[2], v_seqs[2], v_balances[2], v_moments[2]);
    RETURN v_entry;
  END IF;
  INSERT INTO public.ledger_posting (merchant_id, entry_id, account_id, account_kind, currency,
         operation, side, amount_minor, seq, balance_after, posted_at)
  SELECT p_merchant_id, v_entry, w.account_id, w.kind, w.currency, w.operation, w.side, w.amount,
         w.seq, w.balance, w.moment
    FROM unnest(p_account_ids, v_kinds, v_currencies, p_operations, p_sides, p_amounts, v_seqs,
                v_balances, v_moments)
         AS w (account_id, kind, currency, operation, side, amount, seq, balance, moment);
  RETURN v_entry;
END $$;

-- Reserve part of an account for one operation, or return the hold that this cause already opened.
CREATE OR REPLACE FUNCTION ledger_hold_open(
  p_merchant_id bigint, p_account_id bigint, p_operation text, p_amount bigint, p_source_kind text,
  p_source_id text, p_expires_at timestamptz, p_reason text, p_actor text, p_request_id text
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_hold  public.ledger_hold%ROWTYPE;
  v_id    bigint;
BEGIN
  IF p_amount <= 0 THEN  -- said before `held` falls, where another constraint would speak first
    RAISE EXCEPTION 'ledger.amount_not_positive' USING ERRCODE = 'LG013',
      DETAIL = json_build_object('amount', p_amount)::text;
  END IF;
  UPDATE public.ledger_account a SET held = a.held + p_amount
   WHERE a.merchant_id = p_merchant_id AND a.id = p_account_id
     AND (NOT a.never_negative OR a.balance - a.held - p_amount >= 0);
  IF NOT FOUND THEN  -- perhaps because this very hold is open already
    SELECT * INTO v_hold FROM public.ledger_hold h
     WHERE h.merchant_id = p_merchant_id AND h.source_kind = p_source_kind
       AND h.source_id = p_source_id;
    IF NOT FOUND THEN
      PERFORM public.ledger_refuse_move(p_merchant_id, p_account_id, p_amount);
    END IF;
  ELSE
    INSERT INTO public.ledger_hold (merchant_id, account_id, account_kind, currency, operation,
           side, amount_minor, state, source_kind, source_id, reason, expires_at, opened_at, actor,
           request_id, resolved_by)
    SELECT p_merchant_id, a.id, a.kind, a.currency, p_operation,
           CASE a.normal_side WHEN 'DR' THEN 'CR' ELSE 'DR' END, p_amount, 'OPEN', p_source_kind,
           p_source_id, coalesce(p_reason, ''), p_expires_at, clock_timestamp(), p_actor,
           p_request_id, ''
      FROM public.ledger_account a WHERE a.merchant_id = p_merchant_id AND a.id = p_account_id
    ON CONFLICT (merchant_id, source_kind, source_id) DO NOTHING
    RETURNING id INTO v_id;
    IF v_id IS NOT NULL THEN
      RETURN v_id;
    END IF;
    UPDATE public.ledger_account a SET held = a.held - p_amount
     WHERE a.merchant_id = p_merchant_id AND a.id = p_account_id;
    SELECT * INTO v_hold FROM public.ledger_hold h
     WHERE h.merchant_id = p_merchant_id AND h.source_kind = p_source_kind
       AND h.source_id = p_source_id;
  END IF;
  IF (v_hold.account_id, v_hold.operation, v_hold.amount_minor)
     IS DISTINCT FROM (p_account_id, p_operation, p_amount) THEN
    RAISE EXCEPTION 'ledger.hold_conflict' USING ERRCODE = 'LG009', DETAIL = json_build_object(
      'hold', v_hold.id, 'source_kind', p_source_kind, 'source_id', p_source_id)::text;
  END IF;
  RETURN v_hold.id;
END $$;

-- Give a hold back. True when this call released it, false when it was released before; a captured
-- one is refused.
CREATE OR REPLACE FUNCTION ledger_hold_release(
  p_merchant_id bigint, p_hold_id bigint, p_actor text, p_request_id text
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_hold record;
BEGIN
  SELECT h.state, h.account_id, h.amount_minor INTO v_hold FROM public.ledger_hold h
   WHERE h.merchant_id = p_merchant_id AND h.id = p_hold_id FOR UPDATE;
  IF NOT FOUND OR v_hold.state = 'CAPTURED' THEN
    RAISE EXCEPTION 'ledger.hold_resolved' USING ERRCODE = 'LG005',
      DETAIL = json_build_object('hold', p_hold_id, 'state', v_hold.state)::text;
  END IF;
  IF v_hold.state = 'RELEASED' THEN
    RETURN false;
  END IF;
  UPDATE public.ledger_hold h
     SET state = 'RELEASED', resolved_at = clock_timestamp(), resolved_by = p_actor
   WHERE h.merchant_id = p_merchant_id AND h.id = p_hold_id;
  UPDATE public.ledger_account a SET held = a.held - v_hold.amount_minor
   WHERE a.merchant_id = p_merchant_id AND a.id = v_hold.account_id;
  RETURN true;
END $$;

-- The number of the last posting of an account up to a moment (0 when there is none): a binary
-- search over `seq`, along which `posted_at` never falls, so no further index is needed.
CREATE OR REPLACE FUNCTION ledger_seq_as_of(
  p_merchant_id bigint, p_account_id bigint, p_moment timestamptz
) RETURNS bigint LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_low    bigint := 0;
  v_high   bigint;
  v_middle bigint;
  v_posted timestamptz;
BEGIN
  SELECT p.seq INTO v_high FROM public.ledger_posting p
   WHERE p.merchant_id = p_merchant_id AND p.account_id = p_account_id ORDER BY p.seq DESC LIMIT 1;
  WHILE v_low < v_high LOOP
    v_middle := (v_low + v_high + 1) / 2;
    SELECT p.posted_at INTO STRICT v_posted FROM public.ledger_posting p
     WHERE p.merchant_id = p_merchant_id AND p.account_id = p_account_id AND p.seq = v_middle;
    IF v_posted <= p_moment THEN
      v_low := v_middle;
    ELSE
      v_high := v_middle - 1;
    END IF;
  END LOOP;
  RETURN v_low;
END $$;

-- What an account stood at after everything posted up to a moment.
CREATE OR REPLACE FUNCTION ledger_balance_as_of(
  p_merchant_id bigint, p_account_id bigint, p_moment timestamptz
) RETURNS bigint LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce((
    SELECT p.balance_after FROM public.ledger_posting p
     WHERE p.merchant_id = p_merchant_id AND p.account_id = p_account_id
       AND p.seq = public.ledger_seq_as_of(p_merchant_id, p_account_id, p_moment)), 0)
$$;
