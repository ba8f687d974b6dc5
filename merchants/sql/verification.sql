-- What the product's role cannot do to verification, whatever it runs.

-- A token stands on its request: the same act, in its time, with a right proof of every factor.
CREATE OR REPLACE FUNCTION public.merchants_verification_token_proved() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  asked public.merchants_verification_request%ROWTYPE;
BEGIN
  SELECT * INTO asked FROM public.merchants_verification_request r
   WHERE r.merchant_id = NEW.merchant_id AND r.id = NEW.request_id;
  IF NOT FOUND
     OR (asked.user_id, asked.operation, asked.amount_minor, asked.currency, asked.payee,
         asked.factors) IS DISTINCT FROM
        (NEW.user_id, NEW.operation, NEW.amount_minor, NEW.currency, NEW.payee, NEW.factors)
     OR NEW.issued_at < asked.opened_at OR NEW.issued_at >= asked.expires_at THEN
    RAISE EXCEPTION 'verification_token_request: request % is not for this', NEW.request_id
      USING ERRCODE = 'check_violation';
  END IF;
  IF EXISTS (SELECT FROM unnest(NEW.factors) AS needed(factor)
      WHERE NOT EXISTS (SELECT FROM public.merchants_verification_attempt a
         WHERE a.merchant_id = NEW.merchant_id AND a.verification_id = NEW.request_id
           AND a.factor = needed.factor AND a.result = 'PASSED')) THEN
    RAISE EXCEPTION 'verification_token_unproved: a factor of request % is not proved',
      NEW.request_id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER verification_token_proved
BEFORE INSERT ON public.merchants_verification_token
FOR EACH ROW EXECUTE FUNCTION public.merchants_verification_token_proved();

-- Of a code only the moment changes in which it was sent, once.
CREATE OR REPLACE FUNCTION public.merchants_one_time_code_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (to_jsonb(NEW) - 'sent_at') IS DISTINCT FROM (to_jsonb(OLD) - 'sent_at') THEN
    RAISE EXCEPTION 'one_time_code_fixed: code % cannot change', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER one_time_code_guard BEFORE UPDATE ON public.merchants_one_time_code
FOR EACH ROW EXECUTE FUNCTION public.merchants_one_time_code_guard();

-- The matrix changes by approval alone: the row is what two persons agreed on, and an older
-- agreement cannot come back. Migrations run as the owner.
CREATE OR REPLACE FUNCTION public.merchants_verification_rule_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF current_user = (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = TG_RELID) THEN
    RETURN NEW;
  END IF;
  IF NOT EXISTS (SELECT FROM public.foundation_approval a
      WHERE a.id = NEW.approval_id AND a.action = 'merchants.verification_rule'
        AND a.state = 'APPROVED' AND a.after = jsonb_build_object(
          'operation', NEW.operation, 'currency', NEW.currency,
          'from_amount_minor', NEW.from_amount_minor, 'factors', to_jsonb(NEW.factors),
          'together', NEW.together, 'in_force', NEW.in_force))
     OR (TG_OP = 'UPDATE' AND NEW.approval_id <= OLD.approval_id) THEN
    RAISE EXCEPTION 'verification_rule_approved: nobody approved this rule for %', NEW.operation
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER verification_rule_guard
BEFORE INSERT OR UPDATE ON public.merchants_verification_rule
FOR EACH ROW EXECUTE FUNCTION public.merchants_verification_rule_guard();
CREATE OR REPLACE TRIGGER refuse_delete BEFORE DELETE ON public.merchants_verification_rule
FOR EACH ROW EXECUTE FUNCTION public.foundation_refuse_change();
