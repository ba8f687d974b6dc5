-- Nobody decides about a merchant of his: neither who acts or acted for it, nor who is invited
-- to, nor whom its application names as a contact; under no account, and with no right that one of
-- them lent (AP-12, APP-20, APP-21). A program's key he made would else be a second person.

-- Whether one of these persons acts or acted for one of these merchants, or is invited to by his
-- mailbox, which any of his accounts may have.
CREATE OR REPLACE FUNCTION public.merchants_insiders(p_persons uuid[], p_merchants bigint[])
RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (SELECT FROM public.foundation_user u
      JOIN public.merchants_membership m ON m.user_id = u.id
     WHERE u.person_id = ANY (p_persons) AND m.merchant_id = ANY (p_merchants))
    OR EXISTS (SELECT FROM public.foundation_user u
      JOIN public.merchants_invitation i ON i.merchant_id = ANY (p_merchants)
       AND i.accepted_at IS NULL AND i.withdrawn_at IS NULL
       AND public.foundation_mailbox(i.email) = public.foundation_mailbox(u.email)
     WHERE u.person_id = ANY (p_persons) AND u.email <> '')
$$;

-- Whether an application names a mailbox of one of these persons as a contact, or changes a
-- merchant of theirs.
CREATE OR REPLACE FUNCTION public.merchants_application_is_theirs(
  a public.merchants_application, p_persons uuid[]
) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.concerns_id IS NOT NULL AND public.merchants_insiders(p_persons, ARRAY[a.concerns_id])
    OR EXISTS (SELECT FROM public.foundation_user u
      JOIN public.merchants_application_contact c
        ON c.merchant_id = a.merchant_id AND c.application_id = a.id
       AND public.foundation_mailbox(c.email) = public.foundation_mailbox(u.email)
     WHERE u.person_id = ANY (p_persons) AND u.email <> '')
$$;

-- The merchants of a proposal: whose book it lies in, the one it names, those of its list.
CREATE OR REPLACE FUNCTION public.merchants_decision_by_outsider() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  persons constant uuid[] := array_remove(ARRAY[NEW.checker_person_id, NEW.delegator_person_id],
    NULL);
  asked public.foundation_approval%ROWTYPE; about bigint[];
BEGIN
  SELECT * INTO asked FROM public.foundation_approval
   WHERE merchant_id = NEW.merchant_id AND id = NEW.approval_id;
  SELECT array_agg(m.id) || NEW.merchant_id INTO about FROM public.merchants_merchant m
   WHERE m.merchant_no = asked.after ->> 'merchant_no' OR m.merchant_no IN (
     SELECT regexp_replace(e.entry, ' [^ ]*$', '')
       FROM jsonb_array_elements_text(CASE jsonb_typeof(asked.after -> 'merchants')
         WHEN 'array' THEN asked.after -> 'merchants' ELSE '[]' END) AS e (entry));
  IF public.merchants_insiders(persons, about) OR EXISTS (
      SELECT FROM public.merchants_application a
       WHERE a.merchant_id = NEW.merchant_id AND a.approval_id = NEW.approval_id
         AND public.merchants_application_is_theirs(a, persons)) THEN
    RAISE EXCEPTION 'approval_insider: the checker of % acts for the merchant', NEW.approval_id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER decision_by_outsider
BEFORE INSERT ON public.foundation_approval_decision
FOR EACH ROW EXECUTE FUNCTION public.merchants_decision_by_outsider();

CREATE OR REPLACE FUNCTION public.merchants_application_reviewed_by_outsider() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF public.merchants_application_is_theirs(NEW, array_remove(
       ARRAY[NEW.first_reviewer_person_id, NEW.second_reviewer_person_id], NULL)) THEN
    RAISE EXCEPTION 'approval_insider: a reviewer of % is one of its own', NEW.number
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER reviewed_by_outsider BEFORE UPDATE ON public.merchants_application
FOR EACH ROW WHEN (NEW.state IN ('FIRST_REVIEW', 'APPROVED') AND (NEW.state, NEW.first_reviewer_id,
    NEW.second_reviewer_id) IS DISTINCT FROM (OLD.state, OLD.first_reviewer_id,
    OLD.second_reviewer_id))
EXECUTE FUNCTION public.merchants_application_reviewed_by_outsider();
