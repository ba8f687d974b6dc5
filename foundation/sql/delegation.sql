-- A delegation is exactly what its maker proposed and others approved, none of them its delegate;
-- afterwards it can only be ended early, once.
CREATE OR REPLACE FUNCTION public.foundation_delegation_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'delegation_frozen: delegation % stays', OLD.id
      USING ERRCODE = 'restrict_violation';
  ELSIF TG_OP = 'UPDATE' THEN
    IF OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
       OR (to_jsonb(NEW) - 'ended_at') IS DISTINCT FROM (to_jsonb(OLD) - 'ended_at') THEN
      RAISE EXCEPTION 'delegation_frozen: delegation % can only be ended', OLD.id
        USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  PERFORM FROM public.foundation_approval a
   WHERE a.id = NEW.approval_id AND a.action = 'foundation.delegation' AND a.state = 'APPROVED'
     AND a.maker_id = NEW.delegator_id AND a.reason = NEW.reason
     AND a.after ->> 'delegate_id' = NEW.delegate_id::text
     AND a.after ->> 'permission' = NEW.permission
     AND (a.after ->> 'starts_at')::timestamptz = NEW.starts_at
     AND (a.after ->> 'ends_at')::timestamptz = NEW.ends_at
     AND NOT EXISTS (SELECT FROM public.foundation_approval_decision d
          WHERE d.merchant_id = a.merchant_id AND d.approval_id = a.id
            AND NEW.delegate_person_id IN (d.checker_person_id, d.delegator_person_id));
  IF NOT FOUND THEN
    RAISE EXCEPTION 'delegation_not_approved: approval % is not that of this delegation',
      NEW.approval_id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER delegation_guard
BEFORE INSERT OR UPDATE OR DELETE ON public.foundation_delegation
FOR EACH ROW EXECUTE FUNCTION public.foundation_delegation_guard();
