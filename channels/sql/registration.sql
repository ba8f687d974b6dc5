-- What the database itself guarantees about registrations with channels
-- (docs/rules/channel_registrations.md). Keys: registration_keys.sql.

-- A registration begins as it was asked for: of a merchant that is active or restricted, on the
-- application it stands on with its evidence, for a product that was agreed there and that the
-- channel registers, under the channel's terms. Then it moves along the table alone.
CREATE OR REPLACE FUNCTION public.channels_registration_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  steering constant text[] := ARRAY['state', 'sequence', 'moved_at', 'submitted_at', 'reference',
    'answered_at', 'answer', 'channel_merchant_no'];
  m public.merchants_merchant%ROWTYPE;
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'REQUESTED' OR NEW.sequence <> 1 OR NEW.moved_at <> NEW.requested_at
       OR NEW.attempt_no <> 1 + (
         SELECT count(*) FROM public.channels_registration r WHERE r.merchant_id = NEW.merchant_id
            AND r.channel_id = NEW.channel_id AND r.product_id = NEW.product_id) THEN
      RAISE EXCEPTION 'registration_begins: a new registration is asked for, the next of its kind'
        USING ERRCODE = 'check_violation';
    END IF;
    -- Locked: an approval of another application, a freeze or a closing waits, or was before.
    SELECT * INTO m FROM public.merchants_merchant WHERE id = NEW.merchant_id FOR NO KEY UPDATE;
    IF m.kind <> 'MERCHANT' OR m.status NOT IN ('ACTIVE', 'RESTRICTED') THEN
      RAISE EXCEPTION 'registration_merchant: merchant % is not in force', m.merchant_no
        USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.application_id IS DISTINCT FROM m.stands_on
       OR (m.stands_on IS NOT NULL AND NOT EXISTS (
         SELECT FROM public.merchants_application a
           JOIN public.merchants_application_evidence e
             ON e.merchant_id = a.merchant_id AND e.application_id = a.id
          WHERE a.id = m.stands_on AND a.state = 'APPROVED' AND NEW.product_id = ANY (a.products)
            AND a.version_no = NEW.application_version AND e.sha256 = NEW.evidence_sha256)) THEN
      RAISE EXCEPTION 'registration_not_agreed: not what merchant % stands on', m.merchant_no
        USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT EXISTS (
        SELECT FROM public.channels_channel c
         WHERE c.id = NEW.channel_id AND NEW.product_id = ANY (c.registers)
           AND (c.reviewed_by_whom, c.settled_by_whom, c.loss_borne_by)
             = (NEW.reviewed_by_whom, NEW.settled_by_whom, NEW.loss_borne_by)) THEN
      RAISE EXCEPTION 'registration_terms: not what is agreed with channel %', NEW.channel_id
        USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF (to_jsonb(NEW) - steering) IS DISTINCT FROM (to_jsonb(OLD) - steering)
     OR (OLD.state <> 'REQUESTED' AND (NEW.submitted_at, NEW.reference)
         IS DISTINCT FROM (OLD.submitted_at, OLD.reference)) THEN
    RAISE EXCEPTION 'registration_fixed: what registration % asked for cannot change', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.sequence <> OLD.sequence + 1 OR (OLD.state, NEW.state) NOT IN (
      ('REQUESTED', 'SUBMITTED'), ('SUBMITTED', 'SUBMITTED'), ('SUBMITTED', 'APPROVED'),
      ('SUBMITTED', 'REFUSED')) THEN
    RAISE EXCEPTION 'registration_illegal_step: registration % from % to %',
      OLD.id, OLD.state, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  -- One number of a channel is one merchant's: else one is paid what another earned.
  IF NEW.state = 'APPROVED' THEN
    PERFORM pg_advisory_xact_lock(
      hashtextextended('registration:' || NEW.channel_id || ':' || NEW.channel_merchant_no, 0));
    IF EXISTS (
        SELECT FROM public.channels_registration r
         WHERE r.channel_id = NEW.channel_id AND r.channel_merchant_no = NEW.channel_merchant_no
           AND r.merchant_id <> NEW.merchant_id) THEN
      RAISE EXCEPTION 'registration_number_taken: % is another merchant''s number there',
        NEW.channel_merchant_no USING ERRCODE = 'restrict_violation';
    END IF;
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER registration_guard
  BEFORE INSERT OR UPDATE ON public.channels_registration
  FOR EACH ROW EXECUTE FUNCTION public.channels_registration_guard();

-- A step that is written continues the one before and is made: none lies in store for later.
CREATE OR REPLACE FUNCTION public.channels_registration_step_made() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (
      SELECT FROM public.channels_registration r
       WHERE r.merchant_id = NEW.merchant_id AND r.id = NEW.registration_id
         AND r.sequence >= NEW.sequence)
     OR NEW.from_state <> coalesce((
       SELECT t.to_state FROM public.channels_registration_transition t
        WHERE t.merchant_id = NEW.merchant_id AND t.registration_id = NEW.registration_id
          AND t.sequence = NEW.sequence - 1), '') THEN
    RAISE EXCEPTION 'registration_illegal_step: registration % did not make step %',
      NEW.registration_id, NEW.sequence USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS step_made ON public.channels_registration_transition;
CREATE CONSTRAINT TRIGGER step_made AFTER INSERT ON public.channels_registration_transition
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION public.channels_registration_step_made();
