-- What is agreed with a channel changes as two persons decided
-- (docs/rules/channel_registrations.md, REG-6). The first terms of a channel an operator may write
-- down alone, with a line in the trail.
CREATE OR REPLACE FUNCTION public.channels_channel_terms(p_row jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT jsonb_build_object('code', p_row -> 'code', 'registers', p_row -> 'registers',
    'reviewed_by_whom', p_row -> 'reviewed_by_whom', 'settled_by_whom', p_row -> 'settled_by_whom',
    'loss_borne_by', p_row -> 'loss_borne_by')
$$;

CREATE OR REPLACE FUNCTION public.channels_channel_agreed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.terms_approval_id IS NOT NULL OR NEW.registers <> '{}'
       OR (NEW.reviewed_by_whom, NEW.settled_by_whom, NEW.loss_borne_by) <> ('', '', '') THEN
      RAISE EXCEPTION 'channel_terms_not_agreed: channel % begins without terms', NEW.code
        USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.code <> OLD.code THEN
    RAISE EXCEPTION 'channel_fixed: channel % keeps its code', OLD.code
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.terms_approval_id IS NULL AND OLD.terms_approval_id IS NULL AND OLD.registers = '{}'
     AND OLD.reviewed_by_whom = '' THEN
    RETURN NEW;  -- the first; channel_terms_audited asks for its line
  END IF;
  IF NOT EXISTS (
      SELECT FROM public.foundation_approval a
        JOIN public.merchants_merchant h ON h.id = a.merchant_id AND h.kind = 'HOUSE'
       WHERE a.id = NEW.terms_approval_id AND a.action = 'channels.terms' AND a.state = 'APPROVED'
         AND a.before = public.channels_channel_terms(to_jsonb(OLD))
         AND a.after = public.channels_channel_terms(to_jsonb(NEW)))
     OR NEW.terms_approval_id <= coalesce(OLD.terms_approval_id, 0) THEN
    RAISE EXCEPTION 'channel_terms_not_agreed: nobody approved these terms of channel %', OLD.code
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER channel_begins_bare BEFORE INSERT ON public.channels_channel
FOR EACH ROW EXECUTE FUNCTION public.channels_channel_agreed();
CREATE OR REPLACE TRIGGER channel_agreed BEFORE UPDATE ON public.channels_channel
FOR EACH ROW WHEN ((OLD.code, OLD.registers, OLD.reviewed_by_whom, OLD.settled_by_whom,
    OLD.loss_borne_by, OLD.terms_approval_id)
  IS DISTINCT FROM (NEW.code, NEW.registers, NEW.reviewed_by_whom, NEW.settled_by_whom,
    NEW.loss_borne_by, NEW.terms_approval_id))
EXECUTE FUNCTION public.channels_channel_agreed();

CREATE OR REPLACE FUNCTION public.channels_channel_terms_audited() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (
      SELECT FROM public.foundation_audit_event e
       WHERE e.occurred_at >= transaction_timestamp() AND e.action = 'channel.terms'
         AND e.object_kind = 'channel' AND e.object_id = NEW.code) THEN
    RAISE EXCEPTION 'channel_terms_not_audited: nobody is known to have set those of %', NEW.code
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS channel_terms_audited ON public.channels_channel;
CREATE CONSTRAINT TRIGGER channel_terms_audited AFTER UPDATE ON public.channels_channel
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN ((OLD.registers, OLD.reviewed_by_whom, OLD.settled_by_whom, OLD.loss_borne_by)
  IS DISTINCT FROM (NEW.registers, NEW.reviewed_by_whom, NEW.settled_by_whom, NEW.loss_borne_by))
EXECUTE FUNCTION public.channels_channel_terms_audited();
