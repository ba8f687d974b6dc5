-- What the database itself guarantees about agents and whom they bring (docs/rules/agents.md).

-- What is agreed with an agent, as a proposal says it: from its row, or from one of its steps.
CREATE OR REPLACE FUNCTION public.merchants_agent_content(p_number text, p_row jsonb)
RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT jsonb_build_object('number', p_number, 'name', p_row ->> 'name',
    'kind', p_row ->> 'kind', 'contact_name', p_row ->> 'contact_name',
    'contact_email', p_row ->> 'contact_email',
    'contract_from', coalesce(p_row ->> 'contract_from', ''),
    'contract_until', coalesce(p_row ->> 'contract_until', ''), 'state', p_row ->> 'state',
    'parent', coalesce((SELECT a.number FROM public.merchants_agent a
      WHERE a.id = (p_row ->> 'parent_id')::bigint), ''))
$$;

-- The row is what its last step says, and number and beginning never change.
CREATE OR REPLACE FUNCTION public.merchants_agent_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND ((NEW.id, NEW.number, NEW.created_at)
       IS DISTINCT FROM (OLD.id, OLD.number, OLD.created_at) OR NEW.steps <> OLD.steps + 1)
     OR TG_OP = 'INSERT' AND NEW.steps <> 1 THEN
    RAISE EXCEPTION 'agent_illegal_step: agent % has no such step', NEW.number
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF NOT EXISTS (
      SELECT FROM public.merchants_agent_step s
       WHERE s.agent_id = NEW.id AND s.sequence = NEW.steps
         AND public.merchants_agent_content(NEW.number, to_jsonb(s))
           = public.merchants_agent_content(NEW.number, to_jsonb(NEW))) THEN
    RAISE EXCEPTION 'agent_not_approved: no step says this of agent %', NEW.number
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS agent_begins ON public.merchants_agent;
CREATE CONSTRAINT TRIGGER agent_begins AFTER INSERT ON public.merchants_agent
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.merchants_agent_guard();
CREATE OR REPLACE TRIGGER agent_moves BEFORE UPDATE ON public.merchants_agent
FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION public.merchants_agent_guard();

-- At most five agents above each other, none above itself, and active ones below active ones alone.
-- All who change the chain wait for each other; under a snapshot of before they could not see.
CREATE OR REPLACE FUNCTION public.merchants_agent_chain_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  most constant integer := 5;
  v_above bigint; v_below bigint; v_circle boolean;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'agent_isolation: agents are changed in READ COMMITTED alone'
      USING ERRCODE = 'invalid_transaction_state';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('merchants.agent.chain', 0));
  WITH RECURSIVE up (id, level) AS (
    SELECT a.parent_id, 1 FROM public.merchants_agent a
     WHERE a.id = NEW.id AND a.parent_id IS NOT NULL
    UNION ALL
    SELECT a.parent_id, u.level + 1 FROM up u JOIN public.merchants_agent a ON a.id = u.id
     WHERE a.parent_id IS NOT NULL AND u.level <= most
  )
  SELECT count(*), coalesce(bool_or(up.id = NEW.id), false) INTO v_above, v_circle FROM up;
  IF v_circle THEN
    RAISE EXCEPTION 'agent_circle: agent % would be above itself', NEW.number
      USING ERRCODE = 'restrict_violation';
  END IF;
  WITH RECURSIVE down (id, level) AS (
    SELECT NEW.id, 0
    UNION ALL
    SELECT a.id, d.level + 1 FROM down d JOIN public.merchants_agent a ON a.parent_id = d.id
     WHERE d.level <= most
  )
  SELECT max(level) INTO v_below FROM down;
  IF v_above + 1 + v_below > most THEN
    RAISE EXCEPTION 'agent_levels: more than % agents above each other at %', most, NEW.number
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF EXISTS (SELECT FROM public.merchants_agent a
       JOIN public.merchants_agent b ON b.parent_id = a.id
      WHERE (a.id = NEW.id OR b.id = NEW.id) AND a.state = 'STOPPED' AND b.state = 'ACTIVE') THEN
    RAISE EXCEPTION 'agent_parent_stopped: an active agent would be below a stopped one at %',
      NEW.number USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER chain_begins AFTER INSERT ON public.merchants_agent
FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL)
EXECUTE FUNCTION public.merchants_agent_chain_guard();
CREATE OR REPLACE TRIGGER chain_moves AFTER UPDATE ON public.merchants_agent
FOR EACH ROW WHEN (OLD.parent_id IS DISTINCT FROM NEW.parent_id OR OLD.state <> NEW.state)
EXECUTE FUNCTION public.merchants_agent_chain_guard();

-- A step says what an approved proposal says; only the first of an operator's file names none.
CREATE OR REPLACE FUNCTION public.merchants_agent_step_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  bad text;
BEGIN
  WITH approved AS MATERIALIZED (
    SELECT a.merchant_id AS book, a.id, a.action, a.after, a.closed_at
      FROM (SELECT DISTINCT approval_book, approval_id FROM new_rows) n
      JOIN public.foundation_approval a ON a.merchant_id = n.approval_book
       AND a.id = n.approval_id AND a.state = 'APPROVED'
       AND a.action IN ('merchants.agent', 'merchants.agent_import', 'merchants.agent_parent')
  ), listed AS MATERIALIZED (
    SELECT a.book, a.id, e.entry,
           CASE a.action WHEN 'merchants.agent_import' THEN e.entry::jsonb END AS content
      FROM approved a
     CROSS JOIN LATERAL jsonb_array_elements_text(a.after -> 'agents') AS e (entry)
     WHERE a.action <> 'merchants.agent'
  ), said AS MATERIALIZED (
    SELECT n.sequence, n.from_at, n.approval_book, n.approval_id, a.number, a.steps,
           l.from_at AS last_at,
           public.merchants_agent_content(a.number, to_jsonb(n)) AS now,
           public.merchants_agent_content(a.number, to_jsonb(l)) AS before
      FROM new_rows n JOIN public.merchants_agent a ON a.id = n.agent_id
      LEFT JOIN public.merchants_agent_step l
        ON l.agent_id = n.agent_id AND l.sequence = n.sequence - 1
  )
  SELECT s.number INTO bad
    FROM said s
    LEFT JOIN approved a ON a.book = s.approval_book AND a.id = s.approval_id
     AND a.closed_at = s.from_at
    LEFT JOIN listed i ON i.book = a.book AND i.id = a.id AND i.content = s.now
    LEFT JOIN listed p ON p.book = a.book AND p.id = a.id AND a.action = 'merchants.agent_parent'
     AND p.entry = s.number || ' ' || coalesce(nullif(s.before ->> 'parent', ''), '-') || '→'
       || coalesce(nullif(s.now ->> 'parent', ''), '-')
   WHERE NOT coalesce(CASE
       WHEN s.approval_id IS NULL THEN s.sequence = 1 AND s.steps = 1
       WHEN a.action = 'merchants.agent'
         THEN a.after = s.now || jsonb_build_object('step', s.sequence)
       WHEN a.action = 'merchants.agent_import' THEN s.sequence = 1 AND i.entry IS NOT NULL
       WHEN a.action = 'merchants.agent_parent' THEN s.sequence > 1 AND p.entry IS NOT NULL
         AND s.now - 'parent' = s.before - 'parent' END, false)
      OR s.sequence < 1
      OR s.sequence > 1 AND (s.last_at IS NULL OR s.last_at > s.from_at
        OR s.steps <> s.sequence - 1)
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'agent_not_approved: nobody approved this step of agent %', bad
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER step_approved AFTER INSERT ON public.merchants_agent_step
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
EXECUTE FUNCTION public.merchants_agent_step_guard();

-- A step that is written is taken: none lies in store for later. One without a proposal is an
-- operator's act: it commits only with the line of it in the audit trail, which stays.
CREATE OR REPLACE FUNCTION public.merchants_agent_step_taken() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.merchants_agent a
      WHERE a.id = NEW.agent_id AND a.steps >= NEW.sequence) THEN
    RAISE EXCEPTION 'agent_illegal_step: agent % did not take its step', NEW.agent_id
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.approval_id IS NULL AND NOT EXISTS (
      SELECT FROM public.foundation_audit_event e
       WHERE e.occurred_at >= transaction_timestamp() AND e.action = 'agents.import'
         AND e.actor = NEW.actor AND (e.after ->> 'new')::bigint > 0) THEN
    RAISE EXCEPTION 'agent_not_audited: agent % came by no proposal and by no file', NEW.agent_id
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS step_taken ON public.merchants_agent_step;
CREATE CONSTRAINT TRIGGER step_taken AFTER INSERT ON public.merchants_agent_step
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.merchants_agent_step_taken();

-- Refuse those who are stopped, and let nobody stop them before this transaction ends.
CREATE OR REPLACE FUNCTION public.merchants_agents_bring(p_agents bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  one record;
BEGIN
  FOR one IN SELECT a.number, a.state FROM public.merchants_agent a
      WHERE a.id = ANY (p_agents) ORDER BY a.id FOR SHARE LOOP
    IF one.state <> 'ACTIVE' THEN
      RAISE EXCEPTION 'agent_stopped: agent % brings no merchants', one.number
        USING ERRCODE = 'restrict_violation';
    END IF;
  END LOOP;
END $$;

-- A merchant that comes with its agent gets the first line of its history.
CREATE OR REPLACE FUNCTION public.merchants_merchant_brought() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_agents bigint[] := ARRAY(SELECT DISTINCT agent_id FROM new_rows WHERE agent_id IS NOT NULL);
BEGIN
  IF cardinality(v_agents) = 0 THEN
    RETURN NULL;
  END IF;
  PERFORM public.merchants_agents_bring(v_agents);
  INSERT INTO public.merchants_merchant_agent
    (merchant_id, sequence, agent_id, from_at, actor, request_id)
  SELECT n.id, 1, n.agent_id, n.created_at,
    coalesce(nullif(current_setting('countinghouse.actor', true), ''), 'database:' || session_user),
    coalesce(current_setting('countinghouse.request_id', true), '')
    FROM new_rows n WHERE n.agent_id IS NOT NULL;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER merchant_brought AFTER INSERT ON public.merchants_merchant
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
EXECUTE FUNCTION public.merchants_merchant_brought();

-- Every later line is one of an approved list, from where the merchant stands, and is in force at
-- once. Without a proposal a line says by whom the merchant's own row came, from its first moment:
-- that row takes an agent later from a line alone, so nobody else can write it.
CREATE OR REPLACE FUNCTION public.merchants_merchant_agent_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  bad text;
BEGIN
  SELECT n.merchant_id::text INTO bad
    FROM new_rows n
    LEFT JOIN public.merchants_merchant m
      ON m.id = n.merchant_id AND m.agent_id = n.agent_id AND m.created_at = n.from_at
   WHERE n.approval_id IS NULL AND m.id IS NULL LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'merchant_agent_not_approved: a line of merchant % without a proposal', bad
      USING ERRCODE = 'restrict_violation';
  END IF;
  WITH said AS MATERIALIZED (
    SELECT a.merchant_id AS book, a.id, a.closed_at, e.entry
      FROM (SELECT DISTINCT approval_book, approval_id FROM new_rows) n
      JOIN public.foundation_approval a ON a.merchant_id = n.approval_book
       AND a.id = n.approval_id AND a.state = 'APPROVED' AND a.action = 'merchants.agent_assign'
     CROSS JOIN LATERAL jsonb_array_elements_text(a.after -> 'merchants') AS e (entry)
  )
  SELECT m.merchant_no INTO bad
    FROM new_rows n JOIN public.merchants_merchant m ON m.id = n.merchant_id
    LEFT JOIN public.merchants_agent f ON f.id = m.agent_id
    LEFT JOIN public.merchants_agent t ON t.id = n.agent_id
    LEFT JOIN public.merchants_merchant_agent l
      ON l.merchant_id = n.merchant_id AND l.sequence = n.sequence - 1
    LEFT JOIN said s ON s.book = n.approval_book AND s.id = n.approval_id
     AND s.closed_at = n.from_at AND s.entry = m.merchant_no || ' ' || coalesce(f.number, '-')
       || '→' || coalesce(t.number, '-')
   WHERE n.approval_id IS NOT NULL AND (s.id IS NULL OR n.sequence < 1
      OR n.from_at < m.created_at
      OR n.sequence > 1 AND (l.id IS NULL OR l.from_at > n.from_at))
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'merchant_agent_not_approved: nobody approved this agent of merchant %', bad
      USING ERRCODE = 'restrict_violation';
  END IF;
  PERFORM public.merchants_agents_bring(ARRAY(SELECT DISTINCT agent_id FROM new_rows
    WHERE agent_id IS NOT NULL AND approval_id IS NOT NULL));
  UPDATE public.merchants_merchant m SET agent_id = n.agent_id
    FROM new_rows n WHERE m.id = n.merchant_id AND n.approval_id IS NOT NULL;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER agent_approved AFTER INSERT ON public.merchants_merchant_agent
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
EXECUTE FUNCTION public.merchants_merchant_agent_guard();

-- The merchant's row names the agent of its last line.
CREATE OR REPLACE FUNCTION public.merchants_merchant_agent_is_last() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.agent_id IS DISTINCT FROM (
      SELECT l.agent_id FROM public.merchants_merchant_agent l
       WHERE l.merchant_id = NEW.id ORDER BY l.sequence DESC LIMIT 1) THEN
    RAISE EXCEPTION 'merchant_agent_not_approved: merchant % came by another agent',
      NEW.merchant_no USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER merchant_agent_moves BEFORE UPDATE ON public.merchants_merchant
FOR EACH ROW WHEN (OLD.agent_id IS DISTINCT FROM NEW.agent_id)
EXECUTE FUNCTION public.merchants_merchant_agent_is_last();

-- By whom a merchant came, as things stood at a moment; null for nobody.
CREATE OR REPLACE FUNCTION public.merchants_agent_at(p_merchant bigint, p_at timestamptz)
RETURNS bigint LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT l.agent_id FROM public.merchants_merchant_agent l
   WHERE l.merchant_id = p_merchant AND l.from_at <= p_at ORDER BY l.sequence DESC LIMIT 1
$$;

-- An agent and those above it, as things stood at a moment; level 1 is the agent itself.
CREATE OR REPLACE FUNCTION public.merchants_agent_chain_at(p_agent bigint, p_at timestamptz)
RETURNS TABLE (level integer, agent_id bigint, number varchar, name varchar, state varchar)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH RECURSIVE up (level, id) AS (
    SELECT 1, p_agent
    UNION ALL
    SELECT u.level + 1, (SELECT s.parent_id FROM public.merchants_agent_step s
        WHERE s.agent_id = u.id AND s.from_at <= p_at ORDER BY s.sequence DESC LIMIT 1)
      FROM up u WHERE u.id IS NOT NULL AND u.level < 5
  )
  SELECT u.level, a.id, a.number, s.name, s.state
    FROM up u JOIN public.merchants_agent a ON a.id = u.id
   CROSS JOIN LATERAL (SELECT s.name, s.state FROM public.merchants_agent_step s
     WHERE s.agent_id = u.id AND s.from_at <= p_at ORDER BY s.sequence DESC LIMIT 1) s
   ORDER BY u.level
$$;
