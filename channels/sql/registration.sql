-- What the database itself guarantees about registrations with channels
-- (docs/rules/channel_registrations.md). Keys: registration_keys.sql.

-- A registration begins as it was asked for: of a merchant that is active or restricted, on the
-- application it stands on with its evidence, for a product that was agreed there and that the
-- channel registers, under the channel's terms. Then it moves along the table alone.
CREATE OR REPLACE FUNCTION public.channels_registration_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  steering constant text[] := ARRAY['state', 'sequence', 'moved_at', 'submitted_at', 'reference',
    'answered_at', 'answer', 'channel_merchant_no', 'outdated_at', 'ended_at', 'ended_how',
    'end_reason', 'end_approval_id'];
  m public.merchants_merchant%ROWTYPE;
BEGIN
  IF (NEW.reference, NEW.answer, NEW.end_reason)
     IS DISTINCT FROM (btrim(NEW.reference), btrim(NEW.answer), btrim(NEW.end_reason))
     OR NEW.channel_merchant_no !~ '^[!-~]*$' THEN
    RAISE EXCEPTION 'registration_text: blanks around a text, or in a number of a channel'
      USING ERRCODE = 'check_violation';
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'REQUESTED' OR NEW.sequence <> 1 OR NEW.moved_at <> NEW.requested_at
       OR NEW.outdated_at IS NOT NULL
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
    -- Beside an approved one another is asked for only when the merchant has changed since.
    IF EXISTS (
        SELECT FROM public.channels_registration r
         WHERE r.merchant_id = NEW.merchant_id AND r.channel_id = NEW.channel_id
           AND r.product_id = NEW.product_id AND r.state = 'APPROVED' AND r.outdated_at IS NULL)
    THEN
      RAISE EXCEPTION 'registration_one_live: merchant % is registered there', m.merchant_no
        USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NEW;
  END IF;
  -- That the merchant has changed since is noted once, and nothing else with it.
  IF NEW.outdated_at IS DISTINCT FROM OLD.outdated_at THEN
    SELECT * INTO m FROM public.merchants_merchant WHERE id = NEW.merchant_id;
    IF OLD.outdated_at IS NOT NULL OR OLD.state NOT IN ('REQUESTED', 'SUBMITTED', 'APPROVED')
       OR m.stands_on IS NOT DISTINCT FROM OLD.application_id
       OR (to_jsonb(NEW) - 'outdated_at') IS DISTINCT FROM (to_jsonb(OLD) - 'outdated_at') THEN
      RAISE EXCEPTION 'registration_fixed: registration % is not outdated by that', OLD.id
        USING ERRCODE = 'check_violation';
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
      ('REQUESTED', 'SUBMITTED'), ('REQUESTED', 'WITHDRAWN'), ('SUBMITTED', 'SUBMITTED'),
      ('SUBMITTED', 'APPROVED'), ('SUBMITTED', 'REFUSED'), ('SUBMITTED', 'WITHDRAWN'),
      ('APPROVED', 'ENDED')) THEN
    RAISE EXCEPTION 'registration_illegal_step: registration % from % to %',
      OLD.id, OLD.state, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  IF (NEW.state = 'WITHDRAWN' AND (NEW.submitted_at, NEW.reference)
        IS DISTINCT FROM (OLD.submitted_at, OLD.reference))
     OR (NEW.state = 'ENDED' AND (NEW.answered_at, NEW.answer, NEW.channel_merchant_no)
        IS DISTINCT FROM (OLD.answered_at, OLD.answer, OLD.channel_merchant_no)) THEN
    RAISE EXCEPTION 'registration_fixed: what was said of registration % cannot change', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  -- Sent is what two persons approved of a merchant in force, as it still is, to who takes it.
  IF OLD.state = 'REQUESTED' AND NEW.state = 'SUBMITTED' THEN
    SELECT * INTO m FROM public.merchants_merchant WHERE id = NEW.merchant_id FOR SHARE;
    IF m.status NOT IN ('ACTIVE', 'RESTRICTED') THEN
      RAISE EXCEPTION 'registration_merchant: merchant % is not in force', m.merchant_no
        USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.outdated_at IS NOT NULL THEN
      RAISE EXCEPTION 'registration_outdated: merchant % has changed since', m.merchant_no
        USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT EXISTS (SELECT FROM public.channels_channel c
        WHERE c.id = NEW.channel_id AND NEW.product_id = ANY (c.registers)) THEN
      RAISE EXCEPTION 'registration_terms: channel % registers nobody for it', NEW.channel_id
        USING ERRCODE = 'restrict_violation';
    END IF;
  END IF;
  -- By us it ends as two persons decided: about this one, or about closing its merchant.
  IF NEW.state = 'ENDED' AND NEW.ended_how = 'HOUSE' AND NOT EXISTS (
      SELECT FROM public.foundation_approval a
       WHERE a.merchant_id = NEW.merchant_id AND a.id = NEW.end_approval_id
         AND a.action = 'channels.registration_end' AND a.state = 'APPROVED'
         AND a.closed_at = NEW.ended_at AND a.reason = NEW.end_reason
         AND a.after ->> 'registration' = NEW.id::text) THEN
    RAISE EXCEPTION 'registration_end_not_approved: nobody approved the end of %', NEW.id
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.state = 'ENDED' AND NEW.ended_how = 'CLOSING' THEN
    SELECT * INTO m FROM public.merchants_merchant WHERE id = NEW.merchant_id FOR SHARE;
    IF m.status <> 'CLOSING' THEN
      RAISE EXCEPTION 'registration_end_not_approved: merchant % is not closing', m.merchant_no
        USING ERRCODE = 'restrict_violation';
    END IF;
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

-- A step that is written continues the one before, says what its registration says, and is made:
-- none lies in store for later, none is left out.
CREATE OR REPLACE FUNCTION public.channels_registration_step_made() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  r public.channels_registration%ROWTYPE;
  v_before text;
BEGIN
  SELECT * INTO r FROM public.channels_registration c
   WHERE c.merchant_id = NEW.merchant_id AND c.id = NEW.registration_id;
  SELECT t.to_state INTO v_before FROM public.channels_registration_transition t
   WHERE t.merchant_id = NEW.merchant_id AND t.registration_id = NEW.registration_id
     AND t.sequence = NEW.sequence - 1;
  IF r.sequence IS NULL OR r.sequence < NEW.sequence
     OR NEW.from_state IS DISTINCT FROM (CASE WHEN NEW.sequence = 1 THEN '' ELSE v_before END) THEN
    RAISE EXCEPTION 'registration_illegal_step: registration % did not make step %',
      NEW.registration_id, NEW.sequence USING ERRCODE = 'restrict_violation';
  END IF;
  IF (r.sequence = NEW.sequence AND r.moved_at <> NEW.at) OR NOT coalesce(CASE
       WHEN NEW.to_state = 'REQUESTED' THEN NEW.text = '' AND NEW.at = r.requested_at
       WHEN NEW.to_state = 'SUBMITTED' AND NEW.from_state = 'REQUESTED'
         THEN NEW.text = '' AND NEW.at = r.submitted_at
       WHEN NEW.to_state = 'SUBMITTED' THEN btrim(NEW.text) <> ''
       WHEN NEW.to_state IN ('APPROVED', 'REFUSED')
         THEN NEW.text = r.answer AND NEW.at = r.answered_at
       ELSE NEW.text = r.end_reason AND NEW.at = r.ended_at END, false) THEN
    RAISE EXCEPTION 'registration_step_says: step % of registration % says something else',
      NEW.sequence, NEW.registration_id USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS step_made ON public.channels_registration_transition;
CREATE CONSTRAINT TRIGGER step_made AFTER INSERT ON public.channels_registration_transition
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION public.channels_registration_step_made();
