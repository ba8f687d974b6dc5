-- How registrations end, and what a change of their merchant makes of them
-- (docs/rules/channel_registrations.md, REG-9, REG-10). Steps and states: registration.sql.

-- One that a later attempt replaced ends with the channel's yes to that one, in one transaction.
CREATE OR REPLACE FUNCTION public.channels_registration_replaced() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (
      SELECT FROM public.channels_registration r
       WHERE r.merchant_id = NEW.merchant_id AND r.channel_id = NEW.channel_id
         AND r.product_id = NEW.product_id AND r.attempt_no > NEW.attempt_no
         AND r.state IN ('APPROVED', 'ENDED') AND r.answered_at = NEW.ended_at) THEN
    RAISE EXCEPTION 'registration_not_replaced: no later attempt replaced %', NEW.id
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS registration_replaced ON public.channels_registration;
CREATE CONSTRAINT TRIGGER registration_replaced AFTER UPDATE ON public.channels_registration
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (NEW.ended_how = 'REPLACED' AND OLD.ended_how = '')
EXECUTE FUNCTION public.channels_registration_replaced();

-- What a channel is told of a merchant, as an application in force says it; the numbers of its
-- owners by their keyed hash.
CREATE OR REPLACE FUNCTION public.channels_registration_told(p_application bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT jsonb_build_object('of', jsonb_build_array(a.name, a.registration_no, a.country, a.region,
      a.city, a.address, a.industry_id, a.licence_until, a.licence_long_term, a.filing_no,
      a.filing_until),
    'owners', (SELECT jsonb_agg(jsonb_build_array(o.kind, o.name, o.identity_kind,
          encode(o.identity_hash, 'hex'), o.legal_representative) ORDER BY o.line_no)
        FROM public.merchants_application_owner o
       WHERE o.merchant_id = a.merchant_id AND o.application_id = a.id))
    FROM public.merchants_application a WHERE a.id = p_application
$$;

-- A change that two persons approved reaches every registration: where the channel knows the
-- merchant as it no longer is, or the product is no longer agreed, it is outdated from then on.
CREATE OR REPLACE FUNCTION public.channels_registrations_outdated() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_at timestamptz;
BEGIN
  SELECT max(t.at) INTO v_at FROM public.merchants_application_transition t
    JOIN public.merchants_application a ON a.merchant_id = t.merchant_id AND a.id = t.application_id
   WHERE a.id = NEW.stands_on AND t.to_state = 'APPROVED';
  UPDATE public.channels_registration r SET outdated_at = coalesce(v_at, now())
    FROM public.merchants_application a
   WHERE r.merchant_id = NEW.id AND r.state IN ('REQUESTED', 'SUBMITTED', 'APPROVED')
     AND r.outdated_at IS NULL AND r.application_id IS DISTINCT FROM NEW.stands_on
     AND a.id = NEW.stands_on
     AND (r.product_id <> ALL (a.products) OR CASE WHEN r.application_id IS NULL
       THEN (OLD.name, OLD.registration_no, OLD.country, OLD.region, OLD.city)
         IS DISTINCT FROM (NEW.name, NEW.registration_no, NEW.country, NEW.region, NEW.city)
       ELSE public.channels_registration_told(r.application_id)
         IS DISTINCT FROM public.channels_registration_told(NEW.stands_on) END);
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER registrations_outdated AFTER UPDATE OF stands_on
ON public.merchants_merchant FOR EACH ROW
WHEN (NEW.stands_on IS NOT NULL AND NEW.stands_on IS DISTINCT FROM OLD.stands_on)
EXECUTE FUNCTION public.channels_registrations_outdated();
