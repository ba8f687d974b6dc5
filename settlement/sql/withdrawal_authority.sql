-- What a withdrawal needs besides its own content (docs/rules/payouts.md, "What guards what"):
-- a payee who may be paid, a proof of who asked, the second person, the right hold.

-- Read under a share lock: a merchant is frozen before its money moves on, or after it, and what
-- was read holds until the transaction ends (MST-5).
CREATE OR REPLACE FUNCTION public.settlement_require_merchant(p_merchant_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found_status text;
BEGIN
  SELECT m.status INTO found_status FROM public.merchants_merchant m
   WHERE m.id = p_merchant_id AND m.kind = 'MERCHANT' FOR SHARE;
  IF found_status IS NULL OR found_status NOT IN ('ACTIVE', 'CLOSING') THEN
    RAISE EXCEPTION 'settlement.not_payable: merchant % is not active', p_merchant_id
      USING ERRCODE = 'restrict_violation';
  END IF;
END $$;

CREATE OR REPLACE FUNCTION public.settlement_require_payable(
  p_merchant_id bigint, p_bank_account_id bigint, p_currency text
) RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM public.settlement_require_merchant(p_merchant_id);
  IF NOT EXISTS (SELECT FROM public.merchants_bank_account b
      WHERE b.merchant_id = p_merchant_id AND b.id = p_bank_account_id
        AND b.status = 'VERIFIED' AND b.approved_payee AND b.currency = p_currency)
     OR EXISTS (SELECT FROM public.settlement_payee_block k
      WHERE k.merchant_id = p_merchant_id AND k.bank_account_id = p_bank_account_id
        AND k.lifted_at IS NULL) THEN
    RAISE EXCEPTION 'settlement.not_payable: bank account % may not be paid', p_bank_account_id
      USING ERRCODE = 'restrict_violation';
  END IF;
END $$;

-- A token opens one withdrawal: the one it was given for, in the moment in which it was used up.
CREATE OR REPLACE FUNCTION public.settlement_withdrawal_authority() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  good boolean;
BEGIN
  PERFORM public.settlement_require_payable(NEW.merchant_id, NEW.bank_account_id, NEW.currency);
  -- Of what is asked for, not of what is paid: money on its way to a former account still arrives.
  IF EXISTS (SELECT FROM public.merchants_bank_account b
      WHERE b.merchant_id = NEW.merchant_id AND b.id = NEW.bank_account_id
        AND (b.usable_from > now() OR b.usable_until <= now())) THEN
    RAISE EXCEPTION 'settlement.not_payable: bank account % cannot be used now',
      NEW.bank_account_id USING ERRCODE = 'restrict_violation';
  END IF;
  IF public.merchants_capability_taken(NEW.merchant_id,
      CASE NEW.authority WHEN 'STANDING_INSTRUCTION' THEN 'automatic' ELSE 'withdraw' END) THEN
    RAISE EXCEPTION 'settlement.not_payable: merchant % may not withdraw', NEW.merchant_id
      USING ERRCODE = 'restrict_violation';
  END IF;
  good := CASE NEW.authority
    WHEN 'TOKEN' THEN EXISTS (
      SELECT FROM public.merchants_verification_token t
        JOIN public.merchants_bank_account b
          ON b.merchant_id = NEW.merchant_id AND b.id = NEW.bank_account_id
       WHERE t.merchant_id = NEW.merchant_id AND 'token:' || t.id = NEW.authority_reference
         AND t.user_id = NEW.requested_by_id AND t.operation = 'withdrawal'
         AND t.amount_minor = NEW.amount_minor AND t.currency = NEW.currency
         AND t.payee = b.uuid::text AND t.used_at = NEW.requested_at)
    WHEN 'SIGNED_REQUEST' THEN EXISTS (
      SELECT FROM public.merchants_api_key k
       WHERE 'key:' || k.prefix = NEW.authority_reference AND k.active
         AND (k.expires_at IS NULL OR NEW.requested_at < k.expires_at)
         AND 'withdrawals:write' = ANY (k.scopes)
         AND (k.kind = 'INSTITUTION'
              OR (k.kind = 'MERCHANT' AND k.merchant_id = NEW.merchant_id)))
    WHEN 'STANDING_INSTRUCTION' THEN EXISTS (
      SELECT FROM public.settlement_standing_instruction s
       WHERE s.merchant_id = NEW.merchant_id AND s.currency = NEW.currency AND s.status = 'ACTIVE'
         AND s.bank_account_id = NEW.bank_account_id
         AND 'SI' || s.merchant_id || '-' || s.currency || '-' || s.version
             = NEW.authority_reference)
    ELSE false END;
  IF NOT good THEN
    RAISE EXCEPTION 'settlement.no_authority: % is no % for this withdrawal',
      NEW.authority_reference, NEW.authority USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER withdrawal_authority BEFORE INSERT ON public.settlement_withdrawal
FOR EACH ROW EXECUTE FUNCTION public.settlement_withdrawal_authority();

-- The hold is this withdrawal's and of its whole; large ones pass by a second person; what ended
-- well has captured the whole hold, what ended otherwise has given it back.
CREATE OR REPLACE FUNCTION public.settlement_withdrawal_steps() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  hold public.ledger_hold%ROWTYPE;
BEGIN
  SELECT * INTO hold FROM public.ledger_hold h
   WHERE h.merchant_id = NEW.merchant_id AND h.id = NEW.hold_id;
  IF NEW.hold_id IS NOT NULL AND (hold.source_kind, hold.source_id, hold.account_kind,
        hold.operation, hold.currency, hold.amount_minor) IS DISTINCT FROM
      ('withdrawal', NEW.number, 'merchant_available',
        'withdraw', NEW.currency, NEW.amount_minor + NEW.fee_minor) THEN
    RAISE EXCEPTION 'settlement.hold_does_not_fit: hold % is not that of withdrawal %',
      NEW.hold_id, NEW.number USING ERRCODE = 'restrict_violation';
  END IF;
  IF (OLD.status = 'PAYING' AND NEW.status = 'PAID'
        AND hold.captured_minor IS DISTINCT FROM hold.amount_minor)
     OR (NEW.status IN ('REJECTED', 'CANCELLED', 'EXPIRED') AND hold.state <> 'RELEASED')
     OR (OLD.status = 'PAYING' AND NEW.status = 'FAILED' AND hold.state <> 'RELEASED') THEN
    RAISE EXCEPTION 'settlement.hold_does_not_fit: withdrawal % cannot be % while its hold is %',
      NEW.number, NEW.status, hold.state USING ERRCODE = 'restrict_violation';
  END IF;
  IF OLD.status = 'CREATED' AND NEW.status = 'HELD' AND NEW.authority <> 'STANDING_INSTRUCTION'
     AND EXISTS (SELECT FROM public.foundation_approval_policy p
        WHERE p.action = 'settlement.withdrawal' AND p.currency IN ('', NEW.currency)
          AND p.from_amount_minor <= NEW.amount_minor) THEN
    RAISE EXCEPTION 'settlement.not_approved: withdrawal % needs a second person', NEW.number
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF OLD.status = 'REVIEW' AND NEW.status = 'HELD'
     AND NOT EXISTS (SELECT FROM public.foundation_approval a
        WHERE a.merchant_id = NEW.merchant_id AND a.action = 'settlement.withdrawal'
          AND a.subject = NEW.number AND a.state = 'APPROVED'
          AND a.effect_minor = NEW.amount_minor AND a.effect_currency = NEW.currency) THEN
    RAISE EXCEPTION 'settlement.not_approved: withdrawal % was approved by nobody', NEW.number
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

-- Named to run after `withdrawal_guard`, which says what may move at all.
CREATE OR REPLACE TRIGGER withdrawal_steps BEFORE UPDATE OF status, hold_id
ON public.settlement_withdrawal
FOR EACH ROW EXECUTE FUNCTION public.settlement_withdrawal_steps();

-- What waits or is being paid keeps its hold, whoever calls the ledger (I9).
CREATE OR REPLACE FUNCTION public.settlement_hold_kept() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM public.settlement_withdrawal w
      WHERE w.merchant_id = NEW.merchant_id AND w.number = NEW.source_id
        AND w.status IN ('CREATED', 'REVIEW', 'HELD', 'PAYING')) THEN
    RAISE EXCEPTION 'settlement.hold_kept: withdrawal % still needs its hold', NEW.source_id
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION public.settlement_hold_kept() FROM PUBLIC;

DROP TRIGGER IF EXISTS withdrawal_hold_kept ON public.ledger_hold;
CREATE CONSTRAINT TRIGGER withdrawal_hold_kept AFTER UPDATE OF state ON public.ledger_hold
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (NEW.source_kind = 'withdrawal' AND NEW.state <> 'OPEN')
EXECUTE FUNCTION public.settlement_hold_kept();

-- An instruction begins as a proposal; in force it is by an approval or by an operator's act. What
-- was proposed to a checker comes in force by him alone.
CREATE OR REPLACE FUNCTION public.settlement_standing_instruction_review() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' AND NEW.status <> 'PROPOSED' THEN
    RAISE EXCEPTION 'settlement.illegal_transition: a new standing instruction cannot be %',
      NEW.status USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.status = 'ACTIVE' AND NEW.approved_how <> 'operator'
     AND NOT EXISTS (SELECT FROM public.foundation_approval a
        WHERE a.merchant_id = NEW.merchant_id AND a.action = 'settlement.standing_instruction'
          AND a.state = 'APPROVED' AND NEW.approved_how = 'approval ' || a.id
          AND (a.after ->> 'instruction_id')::bigint = NEW.id) THEN
    RAISE EXCEPTION 'settlement.not_approved: standing instruction % was approved by nobody',
      NEW.id USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.status = 'ACTIVE' AND NEW.approved_how = 'operator'
     AND EXISTS (SELECT FROM public.foundation_approval a
        WHERE a.merchant_id = NEW.merchant_id AND a.action = 'settlement.standing_instruction'
          AND a.subject = 'standing_instruction:' || NEW.currency
          AND (a.after ->> 'instruction_id')::bigint = NEW.id) THEN
    RAISE EXCEPTION 'settlement.not_approved: standing instruction % is for a checker to decide',
      NEW.id USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER standing_instruction_review BEFORE INSERT OR UPDATE OF status
ON public.settlement_standing_instruction
FOR EACH ROW EXECUTE FUNCTION public.settlement_standing_instruction_review();
