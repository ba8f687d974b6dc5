-- What the database itself guarantees about webhooks (docs/rules/webhooks.md).

-- An endpoint is of a merchant, keeps its address, and moves along the table. A removed one
-- is over.
CREATE OR REPLACE FUNCTION public.merchants_webhook_endpoint_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'ACTIVE' OR NEW.last_sequence <> 0 OR NOT EXISTS (
        SELECT FROM public.merchants_merchant WHERE id = NEW.merchant_id AND kind = 'MERCHANT') THEN
      RAISE EXCEPTION 'webhook_endpoint_begins: it begins active, in the book of a merchant'
        USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF (NEW.id, NEW.uuid, NEW.place, NEW.url, NEW.created_at)
     IS DISTINCT FROM (OLD.id, OLD.uuid, OLD.place, OLD.url, OLD.created_at)
     OR NEW.last_sequence < OLD.last_sequence OR NEW.secret_no < OLD.secret_no THEN
    RAISE EXCEPTION 'webhook_endpoint_fixed: another address is another endpoint than %', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  IF OLD.state IS DISTINCT FROM NEW.state AND (OLD.state, NEW.state) NOT IN (
      ('ACTIVE', 'PAUSED'), ('PAUSED', 'ACTIVE'), ('ACTIVE', 'REMOVED'), ('PAUSED', 'REMOVED')) THEN
    RAISE EXCEPTION 'webhook_endpoint_illegal_step: endpoint % from % to %',
      OLD.id, OLD.state, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER webhook_endpoint_guard
  BEFORE INSERT OR UPDATE ON public.merchants_webhook_endpoint
  FOR EACH ROW EXECUTE FUNCTION public.merchants_webhook_endpoint_guard();

-- What happened never changes; its sequence number is given once; the sending moves along the
-- table, and a fencing number only grows. An event that ended is forgotten after 90
-- days, not before.
CREATE OR REPLACE FUNCTION public.merchants_webhook_delivery_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  steering constant text[] := ARRAY['state', 'tries', 'next_try_at', 'owner', 'lease_expires_at',
    'fence', 'tried_at', 'answer', 'answer_status', 'answer_text', 'ended_at', 'sequence'];
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.state = 'PENDING' OR OLD.created_at > statement_timestamp() - interval '90 days' THEN
      RAISE EXCEPTION 'webhook_delivery_stays: delivery % is not over, or younger than 90 days',
        OLD.id
        USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'PENDING' OR NEW.sequence IS NOT NULL OR NEW.tries <> 0 OR NEW.fence <> 0
       OR NEW.owner <> '' THEN
      RAISE EXCEPTION 'webhook_delivery_begins: it begins on its way, without a number'
        USING ERRCODE = 'check_violation';
    END IF;
    NEW.created_at := statement_timestamp();
    RETURN NEW;
  END IF;
  IF (to_jsonb(NEW) - steering) IS DISTINCT FROM (to_jsonb(OLD) - steering)
     OR (OLD.sequence IS NOT NULL AND NEW.sequence IS DISTINCT FROM OLD.sequence)
     OR NEW.fence < OLD.fence THEN
    RAISE EXCEPTION 'webhook_delivery_fixed: what delivery % tells cannot change', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  IF OLD.state IS DISTINCT FROM NEW.state AND (OLD.state, NEW.state) NOT IN (
      ('PENDING', 'DELIVERED'), ('PENDING', 'PARKED'), ('PENDING', 'DROPPED'),
      ('DELIVERED', 'PENDING'), ('PARKED', 'PENDING'), ('PARKED', 'DROPPED')) THEN
    RAISE EXCEPTION 'webhook_delivery_illegal_step: delivery % from % to %',
      OLD.id, OLD.state, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.state = 'DELIVERED' AND NEW.sequence IS NULL THEN
    RAISE EXCEPTION 'webhook_delivery_unnumbered: delivery % was never sent', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER webhook_delivery_guard
  BEFORE INSERT OR UPDATE OR DELETE ON public.merchants_webhook_delivery
  FOR EACH ROW EXECUTE FUNCTION public.merchants_webhook_delivery_guard();
CREATE OR REPLACE TRIGGER refuse_truncate BEFORE TRUNCATE ON public.merchants_webhook_delivery
  FOR EACH STATEMENT EXECUTE FUNCTION public.foundation_refuse_change();
