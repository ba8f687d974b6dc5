-- What the database itself guarantees about what a merchant may do (docs/rules/capabilities.md).

CREATE OR REPLACE FUNCTION public.merchants_capability_taken(
  p_merchant_id bigint, p_capability text
) RETURNS boolean LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce((
    SELECT NOT s.allowed FROM public.merchants_capability_step s
     WHERE s.merchant_id = p_merchant_id AND s.capability = p_capability
     ORDER BY s.sequence DESC LIMIT 1), false)
$$;

-- Which capability an act that needs proofs asks for; the twin of `OF_OPERATION`.
CREATE OR REPLACE FUNCTION public.merchants_capability_of(p_operation text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE
    WHEN p_operation = 'withdrawal' THEN 'withdraw'
    WHEN p_operation IN ('bank_account.add', 'bank_account.change') THEN 'bank_accounts'
    WHEN p_operation = 'membership.change' THEN 'people'
    WHEN p_operation IN ('api_key.create', 'api_key.show') THEN 'programs'
  END
$$;

-- Each step is the next one, changes something, and says what an approved proposal says. The lock
-- orders it with the acts: whoever acts reads the merchant under a share lock.
CREATE OR REPLACE FUNCTION public.merchants_capability_step_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  last_sequence integer;
BEGIN
  PERFORM FROM public.merchants_merchant m
    WHERE m.id = NEW.merchant_id AND m.kind = 'MERCHANT' FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'capability_illegal_step: % is no merchant', NEW.merchant_id
      USING ERRCODE = 'restrict_violation';
  END IF;
  SELECT max(s.sequence) INTO last_sequence FROM public.merchants_capability_step s
   WHERE s.merchant_id = NEW.merchant_id AND s.capability = NEW.capability;
  IF NEW.sequence IS DISTINCT FROM coalesce(last_sequence, 0) + 1
     OR NEW.allowed IS DISTINCT FROM
        public.merchants_capability_taken(NEW.merchant_id, NEW.capability) THEN
    RAISE EXCEPTION 'capability_illegal_step: % of merchant %', NEW.capability, NEW.merchant_id
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF NOT EXISTS (SELECT FROM public.foundation_approval a
      WHERE a.merchant_id = NEW.merchant_id AND a.id = NEW.approval_id
        AND a.action = 'merchants.capability' AND a.state = 'APPROVED'
        AND a.reason = NEW.reason AND a.closed_at = NEW.at
        AND a.after ->> NEW.capability =
            CASE WHEN NEW.allowed THEN 'ALLOWED' ELSE 'TAKEN' END) THEN
    RAISE EXCEPTION 'capability_not_approved: nobody approved this of merchant %',
      NEW.merchant_id USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER capability_step_guard BEFORE INSERT ON public.merchants_capability_step
FOR EACH ROW EXECUTE FUNCTION public.merchants_capability_step_guard();

-- What was taken away opens nothing: no token is given for it.
CREATE OR REPLACE FUNCTION public.merchants_capability_token_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF public.merchants_capability_taken(
      NEW.merchant_id, public.merchants_capability_of(NEW.operation)) THEN
    RAISE EXCEPTION 'capability_taken: merchant % may not %', NEW.merchant_id, NEW.operation
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER capability_token_guard
BEFORE INSERT ON public.merchants_verification_token
FOR EACH ROW EXECUTE FUNCTION public.merchants_capability_token_guard();
