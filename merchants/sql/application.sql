-- What the database itself guarantees about applications (docs/rules/applications.md). Keys:
-- application_keys.sql; changes of a merchant: application_change.sql.

-- Why an application cannot go on: a forbidden industry, or a product that is not for it. '' if it
-- can. Reads the row and small reference tables.
CREATE OR REPLACE FUNCTION public.merchants_application_gate(a public.merchants_application)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE
    WHEN i.code IS NULL THEN 'industry missing'
    WHEN i.forbidden THEN 'industry ' || i.code || ' is forbidden'
    -- (by its JSON: the first migration that loads this knows no kind yet)
    WHEN to_jsonb(a) ->> 'kind' = 'OPENING' AND a.schedule IN ('T0', 'D0')
         AND NOT 't0' = ANY (a.products)
      THEN 'schedule ' || a.schedule || ' without the product t0'
    ELSE coalesce((
      SELECT 'product ' || p.code || ' is not for it'
        FROM unnest(a.products) AS p (code)
        LEFT JOIN public.merchants_product_gate g ON g.code = p.code
       WHERE g.code IS NULL OR g.max_risk_grade < greatest(i.risk_grade, a.risk_grade)
          OR NOT (a.contract_type = ANY (g.contract_types))
          OR (g.needs_filing AND a.filing_no = '')
       LIMIT 1), '') END
  FROM (VALUES (1)) AS one (row)
  LEFT JOIN public.merchants_industry i ON i.code = a.industry_id
$$;

CREATE OR REPLACE FUNCTION public.merchants_application_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  steering constant text[] := ARRAY['state', 'sequence', 'version_no', 'first_reviewer_id',
    'first_reviewer_person_id', 'second_reviewer_id', 'second_reviewer_person_id', 'approval_id',
    'became_id', 'due_date', 'risk_grade', 'account_number'];  -- keys of ciphers rotate
  gate text;
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'DRAFT' OR NEW.sequence <> 1 OR NEW.version_no <> 0
       OR NEW.first_reviewer_id IS NOT NULL OR cardinality(NEW.makers) = 0 THEN
      RAISE EXCEPTION 'application_begins: a new application is a draft of somebody'
        USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF (NEW.number, NEW.uuid, NEW.entered_by_id, NEW.created_at)
       IS DISTINCT FROM (OLD.number, OLD.uuid, OLD.entered_by_id, OLD.created_at)
     OR NOT OLD.makers <@ NEW.makers
     OR (OLD.state NOT IN ('DRAFT', 'RETURNED')
         AND (to_jsonb(NEW) - steering) IS DISTINCT FROM (to_jsonb(OLD) - steering)) THEN
    RAISE EXCEPTION 'application_frozen: the content of application % cannot change', OLD.number
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.state = OLD.state THEN
    IF (NEW.sequence, NEW.version_no, NEW.became_id, NEW.first_reviewer_id, NEW.second_reviewer_id)
       IS DISTINCT FROM
       (OLD.sequence, OLD.version_no, OLD.became_id, OLD.first_reviewer_id, OLD.second_reviewer_id)
       OR (NEW.state <> 'FIRST_REVIEW' AND (NEW.approval_id, NEW.risk_grade)
           IS DISTINCT FROM (OLD.approval_id, OLD.risk_grade)) THEN
      RAISE EXCEPTION 'application_illegal_step: application % has no such step', OLD.number
        USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.sequence <> OLD.sequence + 1 OR (OLD.state, NEW.state) NOT IN (
      ('DRAFT', 'SUBMITTED'), ('SUBMITTED', 'FIRST_REVIEW'), ('FIRST_REVIEW', 'RETURNED'),
      ('FIRST_REVIEW', 'APPROVED'), ('FIRST_REVIEW', 'REJECTED'), ('RETURNED', 'SUBMITTED'),
      ('RETURNED', 'REJECTED'), ('DRAFT', 'WITHDRAWN'), ('RETURNED', 'WITHDRAWN')) THEN
    RAISE EXCEPTION 'application_illegal_step: application % from % to %',
      OLD.number, OLD.state, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.version_no <> OLD.version_no + (NEW.state = 'SUBMITTED')::int
     OR (NEW.state = 'SUBMITTED' AND NOT EXISTS (
       SELECT FROM public.merchants_application_version v WHERE v.merchant_id = NEW.merchant_id
          AND v.application_id = NEW.id AND v.number = NEW.version_no)) THEN
    RAISE EXCEPTION 'application_version_missing: what % submits is not kept', OLD.number
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.first_reviewer_id IS DISTINCT FROM OLD.first_reviewer_id
     AND NEW.state <> 'FIRST_REVIEW' THEN
    RAISE EXCEPTION 'application_illegal_step: the first reviewer of % cannot change', OLD.number
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.state IN ('SUBMITTED', 'APPROVED') THEN
    gate := public.merchants_application_gate(NEW);
    IF gate <> '' THEN
      RAISE EXCEPTION 'application_gate: % of application %', gate, OLD.number
        USING ERRCODE = 'check_violation';
    END IF;
  END IF;
  -- It is approved by another person: exactly the version that stands here.
  IF NEW.state = 'APPROVED' AND NOT EXISTS (
      SELECT FROM public.foundation_approval p
        JOIN public.foundation_approval_decision d
          ON d.merchant_id = p.merchant_id AND d.approval_id = p.id AND d.approves
        JOIN public.merchants_application_version v ON v.merchant_id = NEW.merchant_id
         AND v.application_id = NEW.id AND v.number = NEW.version_no
       WHERE p.merchant_id = NEW.merchant_id AND p.id = NEW.approval_id AND p.state = 'APPROVED'
         AND p.action = CASE NEW.kind WHEN 'OPENING' THEN 'merchants.application_approve'
                                      ELSE 'merchants.application_change' END
         AND p.subject = 'application:' || NEW.number
         AND p.after ->> 'content_sha256' = v.sha256
         AND p.maker_person_id = NEW.first_reviewer_person_id
         AND d.checker_person_id = NEW.second_reviewer_person_id) THEN
    RAISE EXCEPTION 'application_unapproved: nobody else approved application %', OLD.number
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER application_guard BEFORE INSERT OR UPDATE ON public.merchants_application
  FOR EACH ROW EXECUTE FUNCTION public.merchants_application_guard();

-- Owners, contacts, sites and documents change only while their application is open; its row is
-- locked, so that two who change at once wait for each other.
CREATE OR REPLACE FUNCTION public.merchants_application_part_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  part jsonb := to_jsonb(coalesce(NEW, OLD));
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF (to_jsonb(NEW) - 'identity_no' - 'phone') = (to_jsonb(OLD) - 'identity_no' - 'phone') THEN
      RETURN NEW;  -- the keys of ciphers rotate
    END IF;
    IF to_jsonb(NEW) ->> 'application_id' <> to_jsonb(OLD) ->> 'application_id' THEN
      RAISE EXCEPTION 'application_frozen: a part stays with its application'
        USING ERRCODE = 'check_violation';
    END IF;
  END IF;
  PERFORM FROM public.merchants_application a
   WHERE a.merchant_id = (part ->> 'merchant_id')::bigint
     AND a.id = (part ->> 'application_id')::bigint AND a.state IN ('DRAFT', 'RETURNED')
     FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'application_frozen: the parts of application % cannot change',
      part ->> 'application_id' USING ERRCODE = 'check_violation';
  END IF;
  RETURN coalesce(NEW, OLD);
END $$;
CREATE OR REPLACE TRIGGER part_guard
  BEFORE INSERT OR UPDATE OR DELETE ON public.merchants_application_owner
  FOR EACH ROW EXECUTE FUNCTION public.merchants_application_part_guard();
CREATE OR REPLACE TRIGGER part_guard
  BEFORE INSERT OR UPDATE OR DELETE ON public.merchants_application_contact
  FOR EACH ROW EXECUTE FUNCTION public.merchants_application_part_guard();
CREATE OR REPLACE TRIGGER part_guard
  BEFORE INSERT OR UPDATE OR DELETE ON public.merchants_application_site
  FOR EACH ROW EXECUTE FUNCTION public.merchants_application_part_guard();

-- The shares of one company's owners, or of the applicant's, sum to at most 100 %.
CREATE OR REPLACE FUNCTION public.merchants_application_owner_shares() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  total numeric;
BEGIN
  SELECT sum(share_percent) INTO total FROM public.merchants_application_owner
   WHERE merchant_id = NEW.merchant_id AND application_id = NEW.application_id
     AND through_no IS NOT DISTINCT FROM NEW.through_no;
  IF total > 100 THEN
    RAISE EXCEPTION 'application_owner_shares: the shares sum to % percent', total
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.through_no IS NOT NULL AND NOT EXISTS (
      SELECT FROM public.merchants_application_owner WHERE merchant_id = NEW.merchant_id
        AND application_id = NEW.application_id AND line_no = NEW.through_no
        AND kind = 'COMPANY') THEN
    RAISE EXCEPTION 'application_owner_through_company: line % is no company', NEW.through_no
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS shares ON public.merchants_application_owner;
CREATE CONSTRAINT TRIGGER shares AFTER INSERT OR UPDATE ON public.merchants_application_owner
  DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.merchants_application_owner_shares();
