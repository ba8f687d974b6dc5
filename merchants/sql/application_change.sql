-- What the database itself guarantees about changes of a merchant that is there (APP-15 to APP-20,
-- docs/rules/applications.md).

-- Whose application it is, once it is approved: of whom it made, or whom it concerns.
CREATE OR REPLACE FUNCTION public.merchants_application_of(a public.merchants_application)
RETURNS bigint LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(a.became_id, a.concerns_id)
$$;

-- A change begins from what its merchant stands on, and is submitted and approved only while it
-- still does and the merchant is not being closed. Who acts or acted for the merchant reviews and
-- decides nothing of it, and what was decided on named the merchant as it was and as it becomes.
CREATE OR REPLACE FUNCTION public.merchants_application_change_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  m public.merchants_merchant%ROWTYPE;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF (NEW.kind, NEW.concerns_id, NEW.base_id)
       IS DISTINCT FROM (OLD.kind, OLD.concerns_id, OLD.base_id) THEN
      RAISE EXCEPTION 'application_frozen: what application % is about cannot change', OLD.number
        USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = OLD.state OR NEW.state NOT IN ('SUBMITTED', 'APPROVED') THEN
      RETURN NEW;
    END IF;
  END IF;
  IF NEW.kind = 'OPENING' THEN
    RETURN NEW;
  END IF;
  SELECT * INTO m FROM public.merchants_merchant WHERE id = NEW.concerns_id FOR NO KEY UPDATE;
  IF NOT FOUND OR m.kind <> 'MERCHANT' OR m.status NOT IN ('ACTIVE', 'RESTRICTED', 'FROZEN') THEN
    RAISE EXCEPTION 'application_change_closed: merchant % takes no changes', m.merchant_no
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.base_id IS DISTINCT FROM m.stands_on THEN
    RAISE EXCEPTION 'application_change_stale: merchant % stands on something else than % began'
      ' from', m.merchant_no, NEW.number USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.state <> 'APPROVED' THEN
    RETURN NEW;
  END IF;
  IF EXISTS (
      SELECT FROM public.merchants_membership s
        JOIN public.foundation_user u ON u.id = s.user_id
       WHERE s.merchant_id = m.id AND (u.person_id = NEW.first_reviewer_person_id
         OR EXISTS (SELECT FROM public.foundation_approval_decision d
             WHERE d.merchant_id = NEW.merchant_id AND d.approval_id = NEW.approval_id
               AND u.person_id IN (d.checker_person_id, d.delegator_person_id)))) THEN
    RAISE EXCEPTION 'approval_insider: who decided on % acts for the merchant', NEW.number
      USING ERRCODE = 'check_violation';
  END IF;
  IF NOT EXISTS (
      SELECT FROM public.foundation_approval p
       WHERE p.merchant_id = NEW.merchant_id AND p.id = NEW.approval_id AND p.state = 'APPROVED'
         AND p.after ->> 'merchant_no' = m.merchant_no
         AND p.before ->> 'name' = m.name AND p.after ->> 'name' = NEW.name
         AND p.before ->> 'registration_no' = m.registration_no
         AND p.after ->> 'registration_no' = NEW.registration_no) THEN
    RAISE EXCEPTION 'application_unapproved: nobody was shown what % changes', NEW.number
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER change_guard BEFORE INSERT OR UPDATE ON public.merchants_application
  FOR EACH ROW EXECUTE FUNCTION public.merchants_application_change_guard();

-- What a merchant is called and stands on changes only together with an approved application: one
-- about it, that began from what it stood on, and says exactly this; its first one also by which
-- agent it comes. Its number, kind, first day and declared schedule never change.
CREATE OR REPLACE FUNCTION public.merchants_merchant_agreed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    RAISE EXCEPTION 'merchant_not_agreed: a new merchant stands on no application yet'
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF (NEW.merchant_no, NEW.kind, NEW.declared_schedule, NEW.created_at)
     IS DISTINCT FROM (OLD.merchant_no, OLD.kind, OLD.declared_schedule, OLD.created_at) THEN
    RAISE EXCEPTION 'merchant_fixed: number, kind and beginning of merchant % cannot change',
      OLD.merchant_no USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.stands_on IS NOT DISTINCT FROM OLD.stands_on OR NOT EXISTS (
      SELECT FROM public.merchants_application a
       WHERE a.id = NEW.stands_on AND a.state = 'APPROVED'
         AND public.merchants_application_of(a) = OLD.id
         AND a.base_id IS NOT DISTINCT FROM OLD.stands_on
         AND (a.name, a.registration_no, a.country, a.region, a.city)
           = (NEW.name, NEW.registration_no, NEW.country, NEW.region, NEW.city)
         AND (a.kind = 'OPENING' AND (OLD.name, OLD.registration_no, OLD.country, OLD.region,
                OLD.city) = (a.name, a.registration_no, a.country, a.region, a.city)
              AND a.agent_no = coalesce((SELECT g.number FROM public.merchants_agent g
                WHERE g.id = OLD.agent_id), '')
           OR a.kind <> 'OPENING' AND OLD.status IN ('ACTIVE', 'RESTRICTED', 'FROZEN'))) THEN
    RAISE EXCEPTION 'merchant_not_agreed: merchant % changes only by an approved application',
      OLD.merchant_no USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER merchant_begins_bare BEFORE INSERT ON public.merchants_merchant
FOR EACH ROW WHEN (NEW.stands_on IS NOT NULL)
EXECUTE FUNCTION public.merchants_merchant_agreed();
CREATE OR REPLACE TRIGGER merchant_agreed BEFORE UPDATE ON public.merchants_merchant
FOR EACH ROW WHEN ((OLD.kind = 'MERCHANT' OR NEW.kind <> OLD.kind)
  AND (OLD.merchant_no, OLD.kind, OLD.name, OLD.registration_no, OLD.country, OLD.region, OLD.city,
       OLD.declared_schedule, OLD.created_at, OLD.stands_on)
    IS DISTINCT FROM
      (NEW.merchant_no, NEW.kind, NEW.name, NEW.registration_no, NEW.country, NEW.region, NEW.city,
       NEW.declared_schedule, NEW.created_at, NEW.stands_on))
EXECUTE FUNCTION public.merchants_merchant_agreed();

-- What is approved takes effect in the same transaction: none lies in store for later.
CREATE OR REPLACE FUNCTION public.merchants_application_takes_effect() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.merchants_merchant m
      WHERE m.id = coalesce(NEW.became_id, NEW.concerns_id)
        AND (m.stands_on = NEW.id OR EXISTS (
          SELECT FROM public.merchants_application a
           WHERE a.base_id = NEW.id AND a.state = 'APPROVED'))) THEN
    RAISE EXCEPTION 'application_without_effect: nothing stands on %, which is approved',
      NEW.number USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS takes_effect ON public.merchants_application;
CREATE CONSTRAINT TRIGGER takes_effect AFTER UPDATE ON public.merchants_application
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (NEW.state = 'APPROVED' AND OLD.state <> 'APPROVED')
EXECUTE FUNCTION public.merchants_application_takes_effect();

-- A paper that is carried over comes from an approved application about the same merchant.
CREATE OR REPLACE FUNCTION public.merchants_carried_document_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (
      SELECT FROM public.merchants_application a
        JOIN public.merchants_document d
          ON d.merchant_id = a.merchant_id AND d.id = NEW.document_id AND d.removed_at IS NULL
        JOIN public.merchants_application o
          ON o.merchant_id = d.merchant_id AND o.id = d.application_id AND o.state = 'APPROVED'
       WHERE a.merchant_id = NEW.merchant_id AND a.id = NEW.application_id
         AND public.merchants_application_of(o) = a.concerns_id) THEN
    RAISE EXCEPTION 'carried_document_foreign: paper % is not of an approved application about the'
      ' same merchant', NEW.document_id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER carried_document_guard
  BEFORE INSERT OR UPDATE ON public.merchants_carried_document
  FOR EACH ROW EXECUTE FUNCTION public.merchants_carried_document_guard();
CREATE OR REPLACE TRIGGER part_guard
  BEFORE INSERT OR UPDATE OR DELETE ON public.merchants_carried_document
  FOR EACH ROW EXECUTE FUNCTION public.merchants_application_part_guard();
