-- What the database itself guarantees about merchants' states (docs/rules/merchant_states.md).

-- A merchant begins ACTIVE, moves along the table only, by a move that stands in the history, and
-- leaves FROZEN to where it was before.
CREATE OR REPLACE FUNCTION public.merchants_merchant_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    RAISE EXCEPTION 'merchant_illegal_step: a new merchant cannot be %', NEW.status
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF OLD.kind <> 'MERCHANT'
     OR NEW.status_sequence IS DISTINCT FROM coalesce(OLD.status_sequence, 0) + 1
     OR (OLD.status, NEW.status) NOT IN (
       ('ACTIVE', 'RESTRICTED'), ('ACTIVE', 'FROZEN'), ('ACTIVE', 'CLOSING'),
       ('RESTRICTED', 'ACTIVE'), ('RESTRICTED', 'FROZEN'),
       ('FROZEN', 'ACTIVE'), ('FROZEN', 'RESTRICTED'), ('FROZEN', 'CLOSING'),
       ('CLOSING', 'CLOSED'), ('CLOSING', 'FROZEN'), ('CLOSING', 'ACTIVE'),
       ('CLOSED', 'CLOSING')) THEN
    RAISE EXCEPTION 'merchant_illegal_step: merchant % from % to %',
      OLD.merchant_no, OLD.status, NEW.status USING ERRCODE = 'restrict_violation';
  END IF;
  IF OLD.status = 'CLOSING' AND NEW.status = 'ACTIVE' AND EXISTS (
      SELECT FROM public.merchants_merchant_transition t
       WHERE t.merchant_id = OLD.id AND t.to_status = 'CLOSED') THEN
    RAISE EXCEPTION 'merchant_illegal_step: merchant % was closed and applies anew',
      OLD.merchant_no USING ERRCODE = 'restrict_violation';
  END IF;
  IF OLD.status = 'FROZEN' AND NOT EXISTS (
      SELECT FROM public.merchants_merchant_transition t
       WHERE t.merchant_id = OLD.id AND t.sequence = OLD.status_sequence
         AND t.from_status = NEW.status) THEN
    RAISE EXCEPTION 'merchant_illegal_step: merchant % was not % before it was frozen',
      OLD.merchant_no, NEW.status USING ERRCODE = 'restrict_violation';
  END IF;
  IF NOT EXISTS (
      SELECT FROM public.merchants_merchant_transition t
       WHERE t.merchant_id = OLD.id AND t.sequence = NEW.status_sequence
         AND t.from_status = OLD.status AND t.to_status = NEW.status) THEN
    RAISE EXCEPTION 'merchant_not_approved: the history has no such move of merchant %',
      OLD.merchant_no USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER merchant_begins BEFORE INSERT ON public.merchants_merchant
FOR EACH ROW WHEN (NEW.status <> 'ACTIVE' OR NEW.status_sequence IS NOT NULL)
EXECUTE FUNCTION public.merchants_merchant_guard();
CREATE OR REPLACE TRIGGER merchant_moves BEFORE UPDATE ON public.merchants_merchant
FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status
  OR OLD.status_sequence IS DISTINCT FROM NEW.status_sequence)
EXECUTE FUNCTION public.merchants_merchant_guard();

-- Each move says what an approved proposal says, about a merchant of its list. One alone comes
-- before its decision: the emergency freeze of an open proposal. When that is rejected, and only
-- then, the same proposal takes back what is still its own last move.
CREATE OR REPLACE FUNCTION public.merchants_merchant_step_approved() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  bad text;
BEGIN
  WITH said AS MATERIALIZED (
    SELECT a.merchant_id AS book, a.id, a.action, a.reason, a.closed_at AS at,
           a.after ->> 'document' AS document, entry
      FROM (SELECT DISTINCT approval_book, approval_id FROM new_rows) n
      JOIN public.foundation_approval a
        ON a.merchant_id = n.approval_book AND a.id = n.approval_id AND a.state = 'APPROVED'
       AND a.action IN ('merchants.freeze', 'merchants.restrict', 'merchants.restore',
         'merchants.close', 'merchants.end')
     CROSS JOIN LATERAL jsonb_array_elements_text(a.after -> 'merchants') AS e (entry)
    UNION ALL
    SELECT a.merchant_id, a.id, a.action || ':' || a.state, coalesce(d.reason, a.reason),
           coalesce(a.closed_at, a.proposed_at), a.after ->> 'document',
           CASE a.state WHEN 'PROPOSED' THEN entry
                ELSE regexp_replace(entry, '(\w+)→(\w+)$', '\2→\1') END
      FROM (SELECT DISTINCT approval_book, approval_id FROM new_rows) n
      JOIN public.foundation_approval a
        ON a.merchant_id = n.approval_book AND a.id = n.approval_id
       AND a.action = 'merchants.emergency' AND a.state IN ('PROPOSED', 'REJECTED')
      LEFT JOIN public.foundation_approval_decision d
        ON d.merchant_id = a.merchant_id AND d.approval_id = a.id AND NOT d.approves
     CROSS JOIN LATERAL jsonb_array_elements_text(a.after -> 'merchants') AS e (entry)
  )
  SELECT n.merchant_id::text INTO bad
    FROM new_rows n
    JOIN public.merchants_merchant m ON m.id = n.merchant_id
    LEFT JOIN said s ON s.book = n.approval_book AND s.id = n.approval_id
     AND s.entry = m.merchant_no || ' ' || n.from_status || '→' || n.to_status
     AND s.reason = n.reason AND s.document = n.document AND s.at = n.at
     AND (s.action, n.from_status, n.to_status) IN (
       ('merchants.freeze', 'ACTIVE', 'FROZEN'), ('merchants.freeze', 'RESTRICTED', 'FROZEN'),
       ('merchants.freeze', 'CLOSING', 'FROZEN'), ('merchants.restrict', 'ACTIVE', 'RESTRICTED'),
       ('merchants.restore', 'FROZEN', 'ACTIVE'), ('merchants.restore', 'FROZEN', 'RESTRICTED'),
       ('merchants.restore', 'FROZEN', 'CLOSING'), ('merchants.restore', 'RESTRICTED', 'ACTIVE'),
       ('merchants.restore', 'CLOSING', 'ACTIVE'), ('merchants.close', 'ACTIVE', 'CLOSING'),
       ('merchants.close', 'CLOSED', 'CLOSING'), ('merchants.end', 'CLOSING', 'CLOSED'),
       ('merchants.emergency:PROPOSED', 'ACTIVE', 'FROZEN'),
       ('merchants.emergency:PROPOSED', 'RESTRICTED', 'FROZEN'),
       ('merchants.emergency:PROPOSED', 'CLOSING', 'FROZEN'),
       ('merchants.emergency:REJECTED', 'FROZEN', 'ACTIVE'),
       ('merchants.emergency:REJECTED', 'FROZEN', 'RESTRICTED'),
       ('merchants.emergency:REJECTED', 'FROZEN', 'CLOSING'))
    LEFT JOIN public.merchants_merchant_transition l
      ON l.merchant_id = n.merchant_id AND l.sequence = n.sequence - 1
    LEFT JOIN public.foundation_approval b
      ON b.merchant_id = l.approval_book AND b.id = l.approval_id
     AND b.action = 'merchants.emergency' AND b.state IN ('PROPOSED', 'REJECTED')
   WHERE s.id IS NULL OR m.status <> n.from_status
      OR n.sequence <> coalesce(m.status_sequence, 0) + 1
      -- what one person froze goes back by the decision on it alone, and only as his own last move
      OR (s.action = 'merchants.emergency:REJECTED'
          AND (l.approval_book, l.approval_id) IS DISTINCT FROM (s.book, s.id))
      OR (n.from_status = 'FROZEN' AND b.state = 'PROPOSED')
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'merchant_not_approved: nobody approved this move of merchant %', bad
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER step_approved AFTER INSERT ON public.merchants_merchant_transition
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
EXECUTE FUNCTION public.merchants_merchant_step_approved();

-- A move that is written is made: none lies in store for later.
CREATE OR REPLACE FUNCTION public.merchants_merchant_step_made() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.merchants_merchant m
      WHERE m.id = NEW.merchant_id AND m.status_sequence >= NEW.sequence) THEN
    RAISE EXCEPTION 'merchant_illegal_step: merchant % did not make its move', NEW.merchant_id
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS step_made ON public.merchants_merchant_transition;
CREATE CONSTRAINT TRIGGER step_made AFTER INSERT ON public.merchants_merchant_transition
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION public.merchants_merchant_step_made();
