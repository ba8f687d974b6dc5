-- What the database itself guarantees about payout attempts (docs/rules/payouts.md).

ALTER TABLE public.settlement_payout_attempt
  ADD CONSTRAINT attempt_of_withdrawal
    FOREIGN KEY (merchant_id, withdrawal_id, amount_minor, currency)
    REFERENCES public.settlement_withdrawal (merchant_id, id, amount_minor, currency);
ALTER TABLE public.settlement_payout_attempt
  ADD CONSTRAINT attempt_has_history FOREIGN KEY (merchant_id, id, sequence, status)
    REFERENCES public.settlement_payout_transition
      (merchant_id, attempt_id, sequence, to_status) DEFERRABLE INITIALLY DEFERRED;

-- What was sent never changes, the status moves along the table, money that left has left.
CREATE OR REPLACE FUNCTION public.settlement_payout_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status <> 'READY' OR NEW.sequence <> 1 THEN
      RAISE EXCEPTION 'settlement.illegal_transition: a new attempt cannot be %', NEW.status
        USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF (NEW.merchant_id, NEW.withdrawal_id, NEW.number, NEW.attempt_no, NEW.channel_id,
      NEW.amount_minor, NEW.currency, NEW.payee_hash, NEW.created_at)
     IS DISTINCT FROM
     (OLD.merchant_id, OLD.withdrawal_id, OLD.number, OLD.attempt_no, OLD.channel_id,
      OLD.amount_minor, OLD.currency, OLD.payee_hash, OLD.created_at)
     OR (OLD.sent_at IS NOT NULL AND NEW.sent_at IS DISTINCT FROM OLD.sent_at)
     OR (OLD.paid_at IS NOT NULL AND NEW.paid_at IS DISTINCT FROM OLD.paid_at)
     OR NEW.fence < OLD.fence THEN
    RAISE EXCEPTION 'settlement.frozen: the content of attempt % cannot change', OLD.number
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.status = OLD.status THEN
    IF NEW.sequence <> OLD.sequence THEN
      RAISE EXCEPTION 'settlement.illegal_transition: attempt % has no such step', OLD.number
        USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.sequence <> OLD.sequence + 1 OR (OLD.status, NEW.status) NOT IN (
      ('READY', 'SENDING'),
      ('SENDING', 'PROCESSING'), ('SENDING', 'UNKNOWN'), ('SENDING', 'SUCCEEDED'),
      ('PROCESSING', 'UNKNOWN'), ('PROCESSING', 'SUCCEEDED'),
      ('UNKNOWN', 'SUCCEEDED'), ('UNKNOWN', 'FAILED'),
      ('SUCCEEDED', 'RETURNED'), ('SUCCEEDED', 'DISPUTED'),
      ('FAILED', 'DISPUTED'),
      ('DISPUTED', 'SUCCEEDED'), ('DISPUTED', 'FAILED'), ('DISPUTED', 'RETURNED')) THEN
    RAISE EXCEPTION 'settlement.illegal_transition: attempt % from % to %',
      OLD.number, OLD.status, NEW.status USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER payout_guard BEFORE INSERT OR UPDATE ON public.settlement_payout_attempt
FOR EACH ROW EXECUTE FUNCTION public.settlement_payout_guard();

-- Evidence and callbacks say what came; a case closes once; a bank line is booked once.
CREATE OR REPLACE FUNCTION public.settlement_payout_case_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  moving constant text[] := ARRAY['closed_at', 'closed_by', 'outcome'];
BEGIN
  IF OLD.closed_at IS NOT NULL OR (to_jsonb(NEW) - moving)
     IS DISTINCT FROM (to_jsonb(OLD) - moving) THEN
    RAISE EXCEPTION 'settlement.frozen: payout case % cannot change', OLD.id
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER payout_case_guard BEFORE UPDATE ON public.settlement_payout_case
FOR EACH ROW EXECUTE FUNCTION public.settlement_payout_case_guard();

CREATE OR REPLACE FUNCTION public.settlement_bank_line_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  moving constant text[] := ARRAY['attempt_id', 'state', 'cause', 'booked_at'];
BEGIN
  IF OLD.state = 'BOOKED' OR (to_jsonb(NEW) - moving) IS DISTINCT FROM (to_jsonb(OLD) - moving) THEN
    RAISE EXCEPTION 'settlement.frozen: bank line % cannot change', OLD.id
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER bank_line_guard BEFORE UPDATE ON public.settlement_bank_line
FOR EACH ROW EXECUTE FUNCTION public.settlement_bank_line_guard();
