-- What the database itself guarantees about approvals (docs/rules/approvals.md).

ALTER TABLE public.foundation_approval
  ADD CONSTRAINT approval_maker_is_person FOREIGN KEY (maker_id, maker_person_id)
    REFERENCES public.foundation_user (id, person_id);
ALTER TABLE public.foundation_approval_decision
  ADD CONSTRAINT approval_checker_is_person FOREIGN KEY (checker_id, checker_person_id)
    REFERENCES public.foundation_user (id, person_id),
  ADD CONSTRAINT approval_decided_content
    FOREIGN KEY (merchant_id, approval_id, maker_person_id, content_sha256)
    REFERENCES public.foundation_approval (merchant_id, id, maker_person_id, content_sha256);

-- A proposal starts open, never changes its content, and closes once, as its decisions say.
CREATE OR REPLACE FUNCTION public.foundation_approval_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  approvals bigint; rejections bigint;
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'PROPOSED' THEN
      RAISE EXCEPTION 'approval_starts_proposed: a new approval cannot be %', NEW.state
        USING ERRCODE = 'check_violation';
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

-- A decision falls on an open proposal, in time; the lock makes decisions on one proposal wait for
-- each other.
CREATE OR REPLACE FUNCTION public.foundation_approval_decision_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM public.foundation_approval
   WHERE merchant_id = NEW.merchant_id AND id = NEW.approval_id
     AND state = 'PROPOSED' AND NEW.decided_at < expires_at
     FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'approval_closed: approval % is not open', NEW.approval_id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER approval_decision_guard
BEFORE INSERT ON public.foundation_approval_decision
FOR EACH ROW EXECUTE FUNCTION public.foundation_approval_decision_guard();
