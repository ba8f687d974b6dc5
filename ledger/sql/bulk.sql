-- The set-based siblings of post.sql: what lies in the intake under one call id is booked, all or
-- nothing, with the same guards and the same order of locks.

-- Refuse intake rows that name an account outside their book: a join would drop them silently.
CREATE OR REPLACE FUNCTION ledger_refuse_foreign_accounts(p_call_id uuid)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_bad record;
BEGIN
  SELECT w.* INTO v_bad
    FROM (SELECT i.merchant_id, i.account_id, i.source_kind, i.source_id
            FROM public.ledger_intake_posting i WHERE i.call_id = p_call_id
           UNION ALL
          SELECT i.merchant_id, i.account_id, i.source_kind, i.source_id
            FROM public.ledger_intake_hold i WHERE i.call_id = p_call_id) w
    LEFT JOIN public.ledger_account a ON a.id = w.account_id AND a.merchant_id = w.merchant_id
   WHERE a.id IS NULL LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'ledger.account_not_in_book' USING ERRCODE = 'LG006',
        DETAIL = json_build_object(
      'account', v_bad.account_id, 'merchant', v_bad.merchant_id,
      'source_kind', v_bad.source_kind, 'source_id', v_bad.source_id)::text;
  END IF;
END $$;

-- Make the entries of a call. Causes that already made the same entry are taken off the intake, so
-- that a chunk may be booked again; the same cause with other content is refused.
CREATE OR REPLACE FUNCTION ledger_intake_entries(
  p_call_id uuid, p_occurred_at timestamptz, p_actor text, p_request_id text
) RETURNS integer LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_new integer;
  v_bad record;
BEGIN
  -- The fingerprint of a cause: its postings, and its lines as they lie below them.
  INSERT INTO public.ledger_intake_entry (call_id, merchant_id, source_kind, source_id, content)
  SELECT p_call_id, p.merchant_id, p.source_kind, p.source_id,
         sha256(convert_to(concat_ws('|', p.content, l.content), 'UTF8'))
    FROM (SELECT i.merchant_id, i.source_kind, i.source_id,
                 string_agg(
                   concat_ws(',', i.account_id, i.operation, i.side, i.amount_minor, i.hold_id), ';'
                   ORDER BY i.account_id, i.operation, i.side, i.amount_minor, i.hold_id
                 ) AS content
            FROM public.ledger_intake_posting i WHERE i.call_id = p_call_id
           GROUP BY i.merchant_id, i.source_kind, i.source_id) p
    LEFT JOIN (SELECT i.merchant_id, i.source_kind, i.source_id,
                 string_agg(concat_ws(',', i.account_id, i.fact_kind, i.fact_id, i.amount_minor),
                   ';' ORDER BY i.account_id, i.fact_kind, i.fact_id, i.amount_minor) AS content
            FROM public.ledger_intake_line i WHERE i.call_id = p_call_id
           GROUP BY i.merchant_id, i.source_kind, i.source_id) l
      USING (merchant_id, source_kind, source_id);
  SELECT l.source_kind, l.source_id INTO v_bad  -- a join would drop such a line silently
    FROM public.ledger_intake_line l
   WHERE l.call_id = p_call_id AND NOT EXISTS (
           SELECT FROM public.ledger_intake_entry n
            WHERE n.call_id = p_call_id AND n.merchant_id = l.merchant_id
              AND n.source_kind = l.source_kind AND n.source_id = l.source_id) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'ledger.lines_do_not_sum' USING ERRCODE = 'LG003', DETAIL = json_build_object(
      'source_kind', v_bad.source_kind, 'source_id', v_bad.source_id)::text;
  END IF;

  WITH made AS (
    INSERT INTO public.ledger_entry (merchant_id, source_kind, source_id, content_sha256,
           accounting_date, occurred_at, memo, actor, request_id)
    SELECT n.merchant_id, n.source_kind, n.source_id, n.content, public.ledger_open_date(),
           coalesce(p_occurred_at, clock_timestamp()), '', p_actor, p_request_id
      FROM public.ledger_intake_entry n WHERE n.call_id = p_call_id
     ORDER BY n.merchant_id, n.source_kind, n.source_id
    ON CONFLICT (merchant_id, source_kind, source_id) DO NOTHING
    RETURNING id, merchant_id, source_kind, source_id)
  UPDATE public.ledger_intake_entry n SET entry_id = made.id FROM made
   WHERE n.call_id = p_call_id AND n.merchant_id = made.merchant_id
     AND n.source_kind = made.source_kind AND n.source_id = made.source_id;
  GET DIAGNOSTICS v_new = ROW_COUNT;

  SELECT e.id, e.source_kind, e.source_id INTO v_bad
    FROM public.ledger_intake_entry n
    JOIN public.ledger_entry e USING (merchant_id, source_kind, source_id)
   WHERE n.call_id = p_call_id AND n.entry_id IS NULL AND e.content_sha256 <> n.content LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'ledger.entry_conflict' USING ERRCODE = 'LG008', DETAIL = json_build_object(
      'entry', v_bad.id, 'source_kind', v_bad.source_kind, 'source_id', v_bad.source_id)::text;
  END IF;
  DELETE FROM public.ledger_intake_entry n WHERE n.call_id = p_call_id AND n.entry_id IS NULL;
  RETURN v_new;
END $$;

-- Capture the holds that the call's new postings name; each must be open and fit.
CREATE OR REPLACE FUNCTION ledger_intake_captures(p_call_id uuid, p_actor text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_asked    bigint;
  v_captured bigint;
  v_bad      record;
BEGIN
  SELECT count(*) INTO v_asked
    FROM public.ledger_intake_posting i
    JOIN public.ledger_intake_entry n USING (call_id, merchant_id, source_kind, source_id)
   WHERE i.call_id = p_call_id AND i.hold_id IS NOT NULL;
  IF v_asked = 0 THEN
    RETURN;
  END IF;
  PERFORM 1 FROM public.ledger_hold h
    WHERE h.id IN (SELECT i.hold_id FROM public.ledger_intake_posting i
                    WHERE i.call_id = p_call_id AND i.hold_id IS NOT NULL)
    ORDER BY h.id FOR UPDATE;
  UPDATE public.ledger_hold h
     SET state = 'CAPTURED', captured_minor = i.amount_minor, entry_id = n.entry_id,
         resolved_at = clock_timestamp(), resolved_by = p_actor
    FROM public.ledger_intake_posting i
    JOIN public.ledger_intake_entry n USING (call_id, merchant_id, source_kind, source_id)
   WHERE i.call_id = p_call_id AND h.merchant_id = i.merchant_id AND h.id = i.hold_id
     AND h.state = 'OPEN' AND h.account_id = i.account_id AND h.operation = i.operation
     AND h.side = i.side;
  GET DIAGNOSTICS v_captured = ROW_COUNT;
  IF v_captured <> v_asked THEN  -- name one: not captured now, or named twice
    SELECT i.hold_id, i.source_kind, i.source_id INTO v_bad
      FROM public.ledger_intake_posting i
      JOIN public.ledger_intake_entry n USING (call_id, merchant_id, source_kind, source_id)
      LEFT JOIN public.ledger_hold h ON h.merchant_id = i.merchant_id AND h.id = i.hold_id
       AND h.entry_id = n.entry_id
     WHERE i.call_id = p_call_id AND i.hold_id IS NOT NULL
     ORDER BY h.id IS NOT NULL, count(*) OVER (PARTITION BY i.hold_id) DESC, i.ord LIMIT 1;
    RAISE EXCEPTION 'ledger.hold_resolved' USING ERRCODE = 'LG005', DETAIL = json_build_object(
      'hold', v_bad.hold_id, 'source_kind', v_bad.source_kind, 'source_id', v_bad.source_id,
      'asked', v_asked, 'open', v_captured)::text;
  END IF;
END $$;

-- Name the first account that the call would take below what is free in it.
CREATE OR REPLACE FUNCTION ledger_intake_shortage(p_call_id uuid)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_short record;
BEGIN
  SELECT a.id, a.kind, a.currency, a.balance - a.held AS available, m.taken INTO v_short
    FROM (SELECT i.merchant_id, i.account_id,
                 sum(CASE WHEN i.side = b.normal_side THEN i.amount_minor ELSE -i.amount_minor END)
                   AS moved,
                 sum(CASE WHEN i.side = b.normal_side THEN 0 ELSE i.amount_minor END) AS taken,
                 coalesce(sum(h.amount_minor), 0) AS freed
            FROM public.ledger_intake_posting i
            JOIN public.ledger_intake_entry n USING (call_id, merchant_id, source_kind, source_id)
            JOIN public.ledger_account b ON b.id = i.account_id AND b.merchant_id = i.merchant_id
            LEFT JOIN public.ledger_hold h ON h.id = i.hold_id AND h.merchant_id = i.merchant_id
           WHERE i.call_id = p_call_id GROUP BY i.merchant_id, i.account_id) m
    JOIN public.ledger_account a ON a.id = m.account_id AND a.merchant_id = m.merchant_id
   WHERE a.never_negative AND a.balance + m.moved - (a.held - m.freed) < 0
   ORDER BY a.id LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'ledger.insufficient_available_balance' USING ERRCODE = 'LG007',
      DETAIL = json_build_object('account', v_short.id, 'kind', v_short.kind, 'currency',
        v_short.currency, 'available', v_short.available, 'asked', v_short.taken)::text;
  END IF;
END $$;

-- Book everything that lies in the intake under a call id; returns how many entries are new.
CREATE OR REPLACE FUNCTION ledger_post_bulk(
  p_call_id uuid, p_occurred_at timestamptz, p_actor text, p_request_id text
) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  v_new integer;
  v_lines bigint;
  v_stored bigint;
  v_moment timestamptz;
BEGIN
  PERFORM public.ledger_refuse_foreign_accounts(p_call_id);
  v_new := public.ledger_intake_entries(p_call_id, p_occurred_at, p_actor, p_request_id);
  IF v_new > 0 THEN
    PERFORM public.ledger_intake_captures(p_call_id, p_actor);
    PERFORM 1 FROM public.ledger_account a
      WHERE a.id IN (SELECT i.account_id FROM public.ledger_intake_posting i
                       JOIN public.ledger_intake_entry n
                      USING (call_id, merchant_id, source_kind, source_id)
                      WHERE i.call_id = p_call_id)
      ORDER BY a.id FOR NO KEY UPDATE;
    PERFORM public.ledger_intake_shortage(p_call_id);
    v_moment := clock_timestamp();

    WITH given AS MATERIALIZED (
      SELECT i.merchant_id, n.entry_id, i.account_id, a.kind, a.currency, i.operation, i.side,
             i.amount_minor, a.seq, a.balance, a.posted_at,
             CASE WHEN i.side = a.normal_side THEN 1 ELSE -1 END * i.amount_minor AS signed,
             CASE WHEN i.side = a.normal_side THEN 0 ELSE 1 END AS shrinks, i.ord,
             coalesce(h.amount_minor, 0) AS freed
        FROM public.ledger_intake_posting i
        JOIN public.ledger_intake_entry n USING (call_id, merchant_id, source_kind, source_id)
        JOIN public.ledger_account a ON a.id = i.account_id AND a.merchant_id = i.merchant_id
        LEFT JOIN public.ledger_hold h ON h.id = i.hold_id AND h.merchant_id = i.merchant_id
       WHERE i.call_id = p_call_id
    ), ordered AS MATERIALIZED (  -- what grows an account comes first
      SELECT g.*, row_number() OVER w AS step, sum(g.signed) OVER w AS run FROM given g
      WINDOW w AS (PARTITION BY g.account_id ORDER BY g.shrinks, g.entry_id, g.ord
                   ROWS UNBOUNDED PRECEDING)
    ), posted AS (
      INSERT INTO public.ledger_posting (merchant_id, entry_id, account_id, account_kind, currency,
             operation, side, amount_minor, seq, balance_after, posted_at)
      SELECT o.merchant_id, o.entry_id, o.account_id, o.kind, o.currency, o.operation, o.side,
             o.amount_minor, o.seq + o.step, o.balance + o.run,
             greatest(o.posted_at, v_moment)
        FROM ordered o ORDER BY o.account_id, o.step
    )
    UPDATE public.ledger_account a
       SET balance = a.balance + m.moved, held = a.held - m.freed, seq = a.seq + m.steps,
           posted_at = greatest(a.posted_at, v_moment), closed_at = NULL  -- LG-13
      FROM (SELECT g.account_id, g.merchant_id, sum(g.signed)::bigint AS moved,
                   sum(g.freed)::bigint AS freed, count(*) AS steps
              FROM given g GROUP BY g.account_id, g.merchant_id) m
     WHERE a.id = m.account_id AND a.merchant_id = m.merchant_id;

    SELECT count(*) INTO v_lines
      FROM public.ledger_intake_line l
      JOIN public.ledger_intake_entry n USING (call_id, merchant_id, source_kind, source_id)
     WHERE l.call_id = p_call_id;
    IF v_lines > 0 THEN
      -- The call's postings first, by their entries: a join that began at the lines could choose to
      -- walk an account's whole history once for each of them.
      WITH posted AS MATERIALIZED (
        SELECT n.merchant_id, n.source_kind, n.source_id, p.id, p.account_id, p.operation, p.seq,
               p.balance_after
                 - CASE WHEN p.side = a.normal_side THEN p.amount_minor ELSE -p.amount_minor END
                 AS balance_before
          FROM public.ledger_intake_entry n
          JOIN public.ledger_posting p ON p.merchant_id = n.merchant_id AND p.entry_id = n.entry_id
          JOIN public.ledger_account a ON a.id = p.account_id AND a.merchant_id = p.merchant_id
         WHERE n.call_id = p_call_id)
      INSERT INTO public.ledger_posting_line (merchant_id, posting_id, account_id, seq, line_no,
             fact_kind, fact_id, amount_minor, balance_after)
      SELECT l.merchant_id, p.id, p.account_id, p.seq, row_number() OVER w, l.fact_kind, l.fact_id,
             l.amount_minor, p.balance_before + sum(l.amount_minor) OVER w
        FROM public.ledger_intake_line l
        JOIN posted p USING (merchant_id, source_kind, source_id, account_id, operation)
       WHERE l.call_id = p_call_id
      WINDOW w AS (PARTITION BY p.id ORDER BY l.ord, l.fact_id ROWS UNBOUNDED PRECEDING);
      GET DIAGNOSTICS v_stored = ROW_COUNT;
      IF v_stored <> v_lines THEN  -- a line without its posting, or with two of them
        RAISE EXCEPTION 'ledger.lines_do_not_sum' USING ERRCODE = 'LG003',
          DETAIL = json_build_object('given', v_lines, 'stored', v_stored)::text;
      END IF;
    END IF;
  END IF;
  DELETE FROM public.ledger_intake_posting WHERE call_id = p_call_id;
  DELETE FROM public.ledger_intake_line WHERE call_id = p_call_id;
  DELETE FROM public.ledger_intake_entry WHERE call_id = p_call_id;
  RETURN v_new;
END $$;

-- Open every hold that lies in the intake under a call id; a cause that already opened the same
-- hold is passed over, with other content it is refused. Returns how many are new.
CREATE OR REPLACE FUNCTION ledger_hold_open_bulk(p_call_id uuid, p_actor text, p_request_id text)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  v_new integer;
  v_bad record;
BEGIN
  PERFORM public.ledger_refuse_foreign_accounts(p_call_id);
  PERFORM 1 FROM public.ledger_account a
    WHERE a.id IN (SELECT i.account_id FROM public.ledger_intake_hold i WHERE i.call_id = p_call_id)
    ORDER BY a.id FOR NO KEY UPDATE;
  SELECT a.id, a.kind, a.currency, a.balance - a.held AS available, w.asked INTO v_bad
    FROM (SELECT i.merchant_id, i.account_id, sum(i.amount_minor) AS asked
            FROM public.ledger_intake_hold i
           WHERE i.call_id = p_call_id
             AND NOT EXISTS (SELECT FROM public.ledger_hold h
                              WHERE h.merchant_id = i.merchant_id AND h.source_kind = i.source_kind
                                AND h.source_id = i.source_id)
           GROUP BY i.merchant_id, i.account_id) w
    JOIN public.ledger_account a ON a.id = w.account_id AND a.merchant_id = w.merchant_id
   WHERE a.never_negative AND a.balance - a.held < w.asked ORDER BY a.id LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'ledger.insufficient_available_balance' USING ERRCODE = 'LG007',
      DETAIL = json_build_object('account', v_bad.id, 'kind', v_bad.kind, 'currency',
        v_bad.currency, 'available', v_bad.available, 'asked', v_bad.asked)::text;
  END IF;
  WITH opened AS (
    INSERT INTO public.ledger_hold (merchant_id, account_id, account_kind, currency, operation,
           side, amount_minor, state, source_kind, source_id, reason, expires_at, opened_at, actor,
           request_id, resolved_by)
    SELECT i.merchant_id, a.id, a.kind, a.currency, i.operation,
           CASE a.normal_side WHEN 'DR' THEN 'CR' ELSE 'DR' END, i.amount_minor, 'OPEN',
           i.source_kind, i.source_id, i.reason, i.expires_at, clock_timestamp(), p_actor,
           p_request_id, ''
      FROM public.ledger_intake_hold i
      JOIN public.ledger_account a ON a.id = i.account_id AND a.merchant_id = i.merchant_id
     WHERE i.call_id = p_call_id
     ORDER BY i.merchant_id, i.source_kind, i.source_id
    ON CONFLICT (merchant_id, source_kind, source_id) DO NOTHING
    RETURNING merchant_id, account_id, amount_minor
  ), raised AS (
    UPDATE public.ledger_account a SET held = a.held + m.held
      FROM (SELECT o.merchant_id, o.account_id, sum(o.amount_minor)::bigint AS held
              FROM opened o GROUP BY o.merchant_id, o.account_id) m
     WHERE a.id = m.account_id AND a.merchant_id = m.merchant_id
  )
  SELECT count(*) INTO v_new FROM opened;
  -- Asked last, so that a cause that came twice in this call, or by another call meanwhile, shows.
  SELECT h.id, h.source_kind, h.source_id INTO v_bad
    FROM public.ledger_intake_hold i
    JOIN public.ledger_hold h USING (merchant_id, source_kind, source_id)
   WHERE i.call_id = p_call_id
     AND (h.account_id, h.operation, h.amount_minor)
         IS DISTINCT FROM (i.account_id, i.operation, i.amount_minor) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'ledger.hold_conflict' USING ERRCODE = 'LG009', DETAIL = json_build_object(
      'hold', v_bad.id, 'source_kind', v_bad.source_kind, 'source_id', v_bad.source_id)::text;
  END IF;
  DELETE FROM public.ledger_intake_hold WHERE call_id = p_call_id;
  RETURN v_new;
END $$;

-- Give many holds back, lowest id first; those already released are passed over. Returns how many.
CREATE OR REPLACE FUNCTION ledger_hold_release_bulk(
  p_hold_ids bigint[], p_actor text, p_request_id text
) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  v_released integer;
BEGIN
  PERFORM 1 FROM public.ledger_hold h WHERE h.id = ANY (p_hold_ids) ORDER BY h.id FOR UPDATE;
  IF EXISTS (SELECT FROM public.ledger_hold h WHERE h.id = ANY (p_hold_ids)
      AND h.state = 'CAPTURED') THEN
    RAISE EXCEPTION 'ledger.hold_resolved' USING ERRCODE = 'LG005', DETAIL = '{}';
  END IF;
  PERFORM 1 FROM public.ledger_account a
    WHERE a.id IN (SELECT h.account_id FROM public.ledger_hold h
                    WHERE h.id = ANY (p_hold_ids) AND h.state = 'OPEN')
    ORDER BY a.id FOR NO KEY UPDATE;
  WITH released AS (
    UPDATE public.ledger_hold h
       SET state = 'RELEASED', resolved_at = clock_timestamp(), resolved_by = p_actor
     WHERE h.id = ANY (p_hold_ids) AND h.state = 'OPEN'
    RETURNING h.merchant_id, h.account_id, h.amount_minor
  ), lowered AS (
    UPDATE public.ledger_account a SET held = a.held - m.held
      FROM (SELECT r.merchant_id, r.account_id, sum(r.amount_minor)::bigint AS held
              FROM released r GROUP BY r.merchant_id, r.account_id) m
     WHERE a.id = m.account_id AND a.merchant_id = m.merchant_id
  )
  SELECT count(*) INTO v_released FROM released;
  RETURN v_released;
END $$;
