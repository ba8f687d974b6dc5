-- What others say to a verification is said once, in time, and never by the person who asks.
CREATE OR REPLACE FUNCTION public.merchants_confirmation_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  asked public.merchants_verification_request%ROWTYPE;
BEGIN
  SELECT * INTO asked FROM public.merchants_verification_request r
   WHERE r.merchant_id = NEW.merchant_id AND r.id = NEW.verification_id;
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'WAITING' OR NOT NEW.factor = ANY (asked.factors)
       OR NEW.asked_at < asked.opened_at OR NEW.expires_at > asked.expires_at THEN
      RAISE EXCEPTION 'confirmation_asked: request % asks for no such thing', NEW.verification_id
        USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.state <> 'WAITING' OR NEW.state = 'WAITING'
     OR (to_jsonb(NEW) - ARRAY['state', 'decided_by_id', 'decided_at', 'note', 'token_id'])
        IS DISTINCT FROM
        (to_jsonb(OLD) - ARRAY['state', 'decided_by_id', 'decided_at', 'note', 'token_id']) THEN
    RAISE EXCEPTION 'confirmation_fixed: confirmation % cannot change so', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  IF EXISTS (SELECT FROM public.foundation_user a JOIN public.foundation_user b
       ON a.person_id = b.person_id WHERE a.id = NEW.decided_by_id AND b.id = asked.user_id) THEN
    RAISE EXCEPTION 'confirmation_own: nobody confirms what he asked for himself'
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.factor = 'call_back' AND NOT EXISTS (SELECT FROM public.foundation_user u
       WHERE u.id = NEW.decided_by_id AND u.is_staff AND u.is_active) THEN
    RAISE EXCEPTION 'confirmation_staff: staff call back' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.factor = 'call_back' AND EXISTS (SELECT FROM public.merchants_membership m
       JOIN public.foundation_user own ON own.id = m.user_id
       JOIN public.foundation_user caller ON caller.person_id = own.person_id
      WHERE m.merchant_id = NEW.merchant_id AND caller.id = NEW.decided_by_id) THEN
    RAISE EXCEPTION 'confirmation_insider: who acts for the merchant calls nobody of it back'
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.factor = 'second_person' AND NOT EXISTS (SELECT FROM public.merchants_membership m
       WHERE m.merchant_id = NEW.merchant_id AND m.user_id = NEW.decided_by_id AND m.active) THEN
    RAISE EXCEPTION 'confirmation_colleague: a colleague confirms'
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.factor = 'second_person' AND NEW.state = 'CONFIRMED' AND NOT EXISTS (
       SELECT FROM public.merchants_verification_token t
        WHERE t.merchant_id = NEW.merchant_id AND t.id = NEW.token_id AND t.used_at IS NOT NULL
          AND t.user_id = NEW.decided_by_id AND t.operation = 'confirmation'
          AND t.payee = asked.number AND t.amount_minor = asked.amount_minor
          AND t.currency = asked.currency) THEN
    RAISE EXCEPTION 'confirmation_proved: the colleague proved nothing'
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER confirmation_guard
BEFORE INSERT OR UPDATE ON public.merchants_confirmation
FOR EACH ROW EXECUTE FUNCTION public.merchants_confirmation_guard();

-- A factor that others give is right only when they said so.
CREATE OR REPLACE FUNCTION public.merchants_attempt_confirmed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.merchants_confirmation c
      WHERE c.merchant_id = NEW.merchant_id AND c.verification_id = NEW.verification_id
        AND c.factor = NEW.factor AND c.state = 'CONFIRMED') THEN
    RAISE EXCEPTION 'attempt_unconfirmed: nobody confirmed % of request %', NEW.factor,
      NEW.verification_id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER attempt_confirmed BEFORE INSERT ON public.merchants_verification_attempt
FOR EACH ROW WHEN (NEW.result = 'PASSED' AND NEW.factor IN ('second_person', 'call_back'))
EXECUTE FUNCTION public.merchants_attempt_confirmed();

-- Who confirms what a colleague asks for proves at least his payment password.
INSERT INTO public.merchants_verification_rule
  (operation, currency, from_amount_minor, factors, together, in_force) VALUES
  ('confirmation', '', 0, ARRAY['payment_password'], false, true)
ON CONFLICT DO NOTHING;
