-- What an attempt needs besides its own content (docs/rules/payouts.md, "What guards what"):
-- one attempt per withdrawal that waits, and no result without the news that prove it.

CREATE OR REPLACE FUNCTION public.settlement_payout_begins() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  paying public.settlement_withdrawal%ROWTYPE;
BEGIN
  SELECT * INTO paying FROM public.settlement_withdrawal w
   WHERE w.merchant_id = NEW.merchant_id AND w.id = NEW.withdrawal_id FOR NO KEY UPDATE;
  IF paying.status IS DISTINCT FROM 'HELD' THEN
    RAISE EXCEPTION 'settlement.not_payable: withdrawal % is %', NEW.withdrawal_id, paying.status
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.number <> paying.number || '-' || NEW.attempt_no THEN
    RAISE EXCEPTION 'settlement.not_payable: % is no number of withdrawal %', NEW.number,
      paying.number USING ERRCODE = 'restrict_violation';
  END IF;
  PERFORM public.settlement_require_payable(NEW.merchant_id, paying.bank_account_id, NEW.currency);
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER payout_begins BEFORE INSERT ON public.settlement_payout_attempt
FOR EACH ROW EXECUTE FUNCTION public.settlement_payout_begins();

-- Right before the first byte: the merchant may be paid, and is not frozen before SENDING stands.
CREATE OR REPLACE FUNCTION public.settlement_payout_leaves() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM public.settlement_require_merchant(NEW.merchant_id);
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER payout_leaves BEFORE UPDATE ON public.settlement_payout_attempt
FOR EACH ROW WHEN (NEW.status = 'SENDING'
  AND (OLD.status <> 'SENDING' OR NEW.fence IS DISTINCT FROM OLD.fence))
EXECUTE FUNCTION public.settlement_payout_leaves();

-- At commit: withdrawal and attempt say the same.
CREATE OR REPLACE FUNCTION public.settlement_payout_pair() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found_id bigint := CASE TG_TABLE_NAME WHEN 'settlement_withdrawal' THEN NEW.id
                     ELSE (to_jsonb(NEW) ->> 'withdrawal_id')::bigint END;
  wanted text; paid text;
BEGIN
  SELECT w.status INTO wanted FROM public.settlement_withdrawal w
   WHERE w.merchant_id = NEW.merchant_id AND w.id = found_id;
  SELECT a.status INTO paid FROM public.settlement_payout_attempt a
   WHERE a.merchant_id = NEW.merchant_id AND a.withdrawal_id = found_id
   ORDER BY a.attempt_no DESC LIMIT 1;
  IF NOT (CASE
      WHEN paid IS NULL
        THEN wanted IN ('CREATED', 'REVIEW', 'HELD', 'REJECTED', 'CANCELLED', 'EXPIRED')
      WHEN paid IN ('READY', 'SENDING', 'PROCESSING', 'UNKNOWN') THEN wanted = 'PAYING'
      WHEN paid = 'SUCCEEDED' THEN wanted = 'PAID'
      ELSE wanted = paid END) THEN
    RAISE EXCEPTION 'settlement.pair_differs: withdrawal % is % and its attempt is %', found_id,
      wanted, coalesce(paid, 'missing') USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS payout_pair ON public.settlement_withdrawal;
CREATE CONSTRAINT TRIGGER payout_pair AFTER UPDATE OF status ON public.settlement_withdrawal
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.settlement_payout_pair();
DROP TRIGGER IF EXISTS payout_pair ON public.settlement_payout_attempt;
CREATE CONSTRAINT TRIGGER payout_pair AFTER INSERT OR UPDATE OF status
ON public.settlement_payout_attempt
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.settlement_payout_pair();

-- At commit: each ending has its evidence, recorded at that step, that names this very order.
CREATE OR REPLACE FUNCTION public.settlement_payout_proof() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.settlement_payout_evidence e
      WHERE e.merchant_id = NEW.merchant_id AND e.attempt_id = NEW.id AND (
        (e.verdict = 'DECIDED' AND e.source = 'DECISION' AND e.sequence = NEW.sequence
         AND EXISTS (SELECT FROM public.foundation_approval a
            WHERE a.merchant_id = NEW.merchant_id AND a.action = 'settlement.resolve_payout'
              AND a.subject = NEW.number AND a.state = 'APPROVED'
              AND a.after ->> 'status' = NEW.status
              AND (a.before ->> 'sequence')::bigint = NEW.sequence - 1))
        OR (e.source <> 'DECISION' AND e.order_no = NEW.number
         AND (e.amount_minor, e.currency, e.payee_hash)
           IS NOT DISTINCT FROM (NEW.amount_minor, NEW.currency, NEW.payee_hash)
         AND (NEW.status, e.verdict, e.kind, e.sequence - NEW.sequence) IN (
           ('SUCCEEDED', 'PAY', 'SUCCESS', 0),
           ('SUCCEEDED', 'PAY_AND_RETURN', 'RETURNED', 1),
           ('RETURNED', 'PAY_AND_RETURN', 'RETURNED', 0),
           ('RETURNED', 'RETURN', 'RETURNED', 0),
           ('DISPUTED', 'LATE_SUCCESS', 'SUCCESS', 0),
           ('DISPUTED', 'LATE_SUCCESS', 'RETURNED', 0)))
        OR (e.source <> 'DECISION' AND e.order_no = NEW.number AND e.kind = 'FAILED_CODE'
         AND e.sequence = NEW.sequence
         AND (NEW.status, e.verdict) = ('DISPUTED', 'CONTRADICT'))
        OR (e.source = 'QUERY' AND e.order_no = NEW.number AND e.kind = 'FAILED_CODE'
         AND e.sequence = NEW.sequence AND NEW.failure_seen_at IS NOT NULL
         AND (NEW.status, e.verdict) = ('FAILED', 'FAIL')))) THEN
    RAISE EXCEPTION 'settlement.no_proof: nothing proves that attempt % is %', NEW.number,
      NEW.status USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS payout_proof ON public.settlement_payout_attempt;
CREATE CONSTRAINT TRIGGER payout_proof AFTER UPDATE OF status ON public.settlement_payout_attempt
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (OLD.status <> NEW.status AND NEW.status IN ('SUCCEEDED', 'FAILED', 'RETURNED', 'DISPUTED'))
EXECUTE FUNCTION public.settlement_payout_proof();

-- What a booked bank line says was paid has not failed; at the most it came back.
CREATE OR REPLACE FUNCTION public.settlement_payout_left() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.status = 'FAILED' AND EXISTS (SELECT FROM public.settlement_bank_line l
      WHERE l.merchant_id = NEW.merchant_id AND l.attempt_id = NEW.id AND l.kind = 'PAID'
        AND l.state = 'BOOKED') THEN
    RAISE EXCEPTION 'settlement.no_proof: a bank line says that attempt % was paid', NEW.number
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER payout_left BEFORE UPDATE OF status ON public.settlement_payout_attempt
FOR EACH ROW EXECUTE FUNCTION public.settlement_payout_left();

-- A block falls once, by the decision of two persons about its attempt.
CREATE OR REPLACE FUNCTION public.settlement_payee_block_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF OLD.lifted_at IS NOT NULL
     OR (to_jsonb(NEW) - 'lifted_at') IS DISTINCT FROM (to_jsonb(OLD) - 'lifted_at')
     OR NOT EXISTS (SELECT FROM public.settlement_payout_attempt p
          JOIN public.foundation_approval a
            ON a.merchant_id = p.merchant_id AND a.action = 'settlement.resolve_payout'
           AND a.subject = p.number AND a.state = 'APPROVED'
           AND (a.before ->> 'sequence')::bigint = p.sequence - 1
         WHERE p.merchant_id = NEW.merchant_id AND p.id = NEW.attempt_id) THEN
    RAISE EXCEPTION 'settlement.frozen: nobody decided to lift payee block %', OLD.id
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER payee_block_guard BEFORE UPDATE ON public.settlement_payee_block
FOR EACH ROW EXECUTE FUNCTION public.settlement_payee_block_guard();

-- What a code means came with the product or was approved by two persons.
CREATE OR REPLACE FUNCTION public.settlement_payout_status_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF pg_get_userbyid((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID)) = current_user THEN
    RETURN NEW;  -- a migration
  END IF;
  IF NOT EXISTS (SELECT FROM public.foundation_approval a
        JOIN public.settlement_payout_channel c ON c.id = NEW.channel_id
       WHERE a.id = NEW.approval_id AND a.action = 'settlement.payout_status'
         AND a.state = 'APPROVED' AND a.after ->> 'channel' = c.code
         AND a.after ->> 'code' = NEW.code AND a.after ->> 'meaning' = NEW.meaning) THEN
    RAISE EXCEPTION 'settlement.not_approved: nobody approved what % means', NEW.code
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER payout_status_guard BEFORE INSERT ON public.settlement_payout_status
FOR EACH ROW EXECUTE FUNCTION public.settlement_payout_status_guard();

-- A bank line begins unbooked, is tied to one attempt it fits, and is booked by an entry.
CREATE OR REPLACE FUNCTION public.settlement_bank_line_fits() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF (NEW.state, NEW.cause) IS DISTINCT FROM ('RECORDED', '') OR NEW.attempt_id IS NOT NULL THEN
      RAISE EXCEPTION 'settlement.frozen: a new bank line cannot be %', NEW.state
        USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.cause <> '' AND (NEW.cause, NEW.attempt_id) IS DISTINCT
      FROM (OLD.cause, OLD.attempt_id) THEN
    RAISE EXCEPTION 'settlement.frozen: bank line % has its cause', OLD.id
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF OLD.attempt_id IS DISTINCT FROM NEW.attempt_id
     AND NOT EXISTS (SELECT FROM public.settlement_payout_attempt a
        WHERE a.merchant_id = NEW.merchant_id AND a.id = NEW.attempt_id
          AND a.number = NEW.order_no AND a.channel_id = NEW.channel_id
          AND a.amount_minor = NEW.amount_minor AND a.currency = NEW.currency
          AND a.payee_hash = NEW.payee_hash) THEN
    RAISE EXCEPTION 'settlement.frozen: bank line % is not about that attempt', OLD.id
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.state = 'BOOKED' AND NOT EXISTS (SELECT FROM public.ledger_entry e
        WHERE e.merchant_id = NEW.merchant_id AND e.source_kind = 'payout_statement'
          AND e.source_id = NEW.cause) THEN
    RAISE EXCEPTION 'settlement.no_proof: no entry books bank line %', OLD.id
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER bank_line_fits BEFORE INSERT OR UPDATE ON public.settlement_bank_line
FOR EACH ROW EXECUTE FUNCTION public.settlement_bank_line_fits();
