-- What every write to approvals must fulfil, whoever writes (docs/rules/approvals.md).

-- How many checkers an amount needs: of the currency's own tiers the highest reached, else of the
-- tiers of every currency, else one (AP-6). The service asks the same in Python.
CREATE OR REPLACE FUNCTION public.foundation_checkers_needed(
  p_action text, p_currency text, p_minor bigint
) RETURNS integer LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce((
    SELECT p.checkers_needed FROM public.foundation_approval_policy p
     WHERE p.action = p_action AND p.currency IN ('', p_currency)
       AND p.from_amount_minor <= abs(coalesce(p_minor, 0))
     ORDER BY p.currency DESC, p.from_amount_minor DESC LIMIT 1), 1)::integer
$$;

-- Whether an account is on and holds a right itself, as Django's own backend counts.
CREATE OR REPLACE FUNCTION public.foundation_user_holds(p_user uuid, p_permission text)
RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (
    SELECT FROM public.foundation_user u
     WHERE u.id = p_user AND u.is_active AND (u.is_superuser OR EXISTS (
       SELECT FROM public.auth_permission p
         JOIN public.django_content_type c ON c.id = p.content_type_id
        WHERE c.app_label || '.' || p.codename = p_permission
          AND (EXISTS (SELECT FROM public.foundation_user_user_permissions o
                WHERE o.user_id = u.id AND o.permission_id = p.id)
            OR EXISTS (SELECT FROM public.foundation_user_groups m
                 JOIN public.auth_group_permissions h ON h.group_id = m.group_id
                WHERE m.user_id = u.id AND h.permission_id = p.id)))))
$$;

-- A proposal starts open and names the right that deciding on its action asks for, never changes
-- its content, and closes once, as its decisions say.
CREATE OR REPLACE FUNCTION public.foundation_approval_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  approvals bigint; rejections bigint; needed integer;
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'PROPOSED' THEN
      RAISE EXCEPTION 'approval_starts_proposed: a new approval cannot be %', NEW.state
        USING ERRCODE = 'check_violation';
    END IF;
    needed := public.foundation_checkers_needed(NEW.action, NEW.effect_currency, NEW.effect_minor);
    IF NEW.checkers_needed < needed THEN
      RAISE EXCEPTION 'approval_tier: % needs % checkers, not %',
        NEW.action, needed, NEW.checkers_needed USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM public.foundation_approval_right r
         WHERE r.action = NEW.action AND r.permission <> NEW.permission) THEN
      RAISE EXCEPTION 'approval_other_right: not who holds % decides on %',
        NEW.permission, NEW.action USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF (to_jsonb(NEW) - 'state' - 'closed_at')
     IS DISTINCT FROM (to_jsonb(OLD) - 'state' - 'closed_at') THEN
    RAISE EXCEPTION 'approval_frozen: the content of approval % cannot change', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  IF OLD.state <> 'PROPOSED' THEN
    RAISE EXCEPTION 'approval_closed: approval % is % already', OLD.id, OLD.state
      USING ERRCODE = 'check_violation';
  END IF;
  SELECT count(*) FILTER (WHERE approves), count(*) FILTER (WHERE NOT approves)
    INTO approvals, rejections
    FROM public.foundation_approval_decision
   WHERE merchant_id = NEW.merchant_id AND approval_id = NEW.id;
  IF (NEW.state = 'APPROVED' AND (approvals < NEW.checkers_needed OR rejections > 0))
    OR (NEW.state = 'REJECTED' AND rejections = 0)
    OR (NEW.state = 'EXPIRED' AND NEW.closed_at < NEW.expires_at)
    OR NEW.state NOT IN ('APPROVED', 'REJECTED', 'EXPIRED', 'WITHDRAWN') THEN
    RAISE EXCEPTION 'approval_undecided: approval % has not what it takes to be %',
      NEW.id, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER approval_guard BEFORE INSERT OR UPDATE ON public.foundation_approval
FOR EACH ROW EXECUTE FUNCTION public.foundation_approval_guard();

-- A decision falls on an open proposal, in time, with all its papers there. Its checker is on and
-- holds the right, or a delegation of this very right by who holds it, at that moment. The lock
-- makes decisions on one proposal wait for each other.
CREATE OR REPLACE FUNCTION public.foundation_approval_decision_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  asked public.foundation_approval%ROWTYPE; papers bigint; holder uuid := NEW.checker_id;
BEGIN
  SELECT * INTO asked FROM public.foundation_approval
   WHERE merchant_id = NEW.merchant_id AND id = NEW.approval_id
     AND state = 'PROPOSED' AND NEW.decided_at < expires_at
     FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'approval_closed: approval % is not open', NEW.approval_id
      USING ERRCODE = 'check_violation';
  END IF;
  SELECT count(*) INTO papers FROM public.foundation_approval_attachment
   WHERE merchant_id = NEW.merchant_id AND approval_id = NEW.approval_id;
  IF papers <> jsonb_array_length(asked.attachments) THEN
    RAISE EXCEPTION 'approval_papers_missing: approval % names % papers and has %',
      NEW.approval_id, jsonb_array_length(asked.attachments), papers
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.delegation_id IS NOT NULL THEN
    SELECT d.delegator_id INTO holder FROM public.foundation_delegation d
     WHERE d.id = NEW.delegation_id AND d.permission = asked.permission
       AND d.starts_at <= NEW.decided_at AND NEW.decided_at < d.ends_at
       AND (d.ended_at IS NULL OR NEW.decided_at < d.ended_at)
       FOR SHARE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'approval_not_delegated: delegation % does not lend the right to decide on %',
        NEW.delegation_id, NEW.approval_id USING ERRCODE = 'check_violation';
    END IF;
  END IF;
  IF asked.permission <> '' AND NOT (public.foundation_user_holds(holder, asked.permission)
       AND EXISTS (SELECT FROM public.foundation_user u
            WHERE u.id = NEW.checker_id AND u.is_active)) THEN
    RAISE EXCEPTION 'approval_no_right: the checker of % has not the right %',
      NEW.approval_id, asked.permission USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER approval_decision_guard
BEFORE INSERT ON public.foundation_approval_decision
FOR EACH ROW EXECUTE FUNCTION public.foundation_approval_decision_guard();
