-- What the database itself guarantees about withdrawals (docs/rules/withdrawals.md).

ALTER TABLE public.settlement_withdrawal
  ADD CONSTRAINT withdrawal_content UNIQUE (merchant_id, id, amount_minor, currency);

-- The status is the last step of the history: a status without its step cannot be committed.
ALTER TABLE public.settlement_withdrawal
  ADD CONSTRAINT withdrawal_has_history FOREIGN KEY (merchant_id, id, sequence, status)
    REFERENCES public.settlement_withdrawal_transition
      (merchant_id, withdrawal_id, sequence, to_status) DEFERRABLE INITIALLY DEFERRED;

-- The content never changes, the status moves along the table, and the hold fits the status:
-- open while the withdrawal waits or is being paid, resolved once it ended (I9).
CREATE OR REPLACE FUNCTION public.settlement_withdrawal_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  moving constant text[] :=
    ARRAY['status', 'sequence', 'hold_id', 'paid_minor', 'paid_fee_minor', 'closed_at'];
  hold_state text;
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status <> 'CREATED' OR NEW.sequence <> 1 THEN
      RAISE EXCEPTION 'settlement.illegal_transition: a new withdrawal cannot be %', NEW.status
        USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF (to_jsonb(NEW) - moving) IS DISTINCT FROM (to_jsonb(OLD) - moving)
     OR (OLD.hold_id IS NOT NULL AND NEW.hold_id IS DISTINCT FROM OLD.hold_id) THEN
    RAISE EXCEPTION 'settlement.frozen: the content of withdrawal % cannot change', OLD.number
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.status = OLD.status THEN
    IF NEW.sequence <> OLD.sequence THEN
      RAISE EXCEPTION 'settlement.illegal_transition: withdrawal % has no such step', OLD.number
        USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.sequence <> OLD.sequence + 1 OR (OLD.status, NEW.status) NOT IN (
      ('CREATED', 'REVIEW'), ('CREATED', 'HELD'),
      ('REVIEW', 'HELD'), ('REVIEW', 'REJECTED'), ('REVIEW', 'CANCELLED'), ('REVIEW', 'EXPIRED'),
      ('HELD', 'PAYING'), ('HELD', 'CANCELLED'),
      ('PAYING', 'PAID'), ('PAYING', 'FAILED'),
      ('PAID', 'RETURNED'), ('PAID', 'DISPUTED'),
      ('FAILED', 'DISPUTED'),
      ('DISPUTED', 'PAID'), ('DISPUTED', 'FAILED'), ('DISPUTED', 'RETURNED')) THEN
    RAISE EXCEPTION 'settlement.illegal_transition: withdrawal % from % to %',
      OLD.number, OLD.status, NEW.status USING ERRCODE = 'restrict_violation';
  END IF;
  IF OLD.status = 'HELD' AND NEW.status = 'CANCELLED' AND EXISTS (
      SELECT FROM public.settlement_payout_attempt a
      WHERE a.merchant_id = NEW.merchant_id AND a.withdrawal_id = NEW.id) THEN
    RAISE EXCEPTION 'settlement.illegal_transition: withdrawal % has an attempt', OLD.number
      USING ERRCODE = 'restrict_violation';
  END IF;
  SELECT h.state INTO hold_state FROM public.ledger_hold h
  WHERE h.merchant_id = NEW.merchant_id AND h.id = NEW.hold_id;
  IF (hold_state = 'OPEN') IS DISTINCT FROM (NEW.status IN ('REVIEW', 'HELD', 'PAYING')) THEN
    RAISE EXCEPTION 'settlement.hold_does_not_fit: withdrawal % cannot be % while its hold is %',
      OLD.number, NEW.status, coalesce(hold_state, 'missing') USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER withdrawal_guard BEFORE INSERT OR UPDATE ON public.settlement_withdrawal
FOR EACH ROW EXECUTE FUNCTION public.settlement_withdrawal_guard();
