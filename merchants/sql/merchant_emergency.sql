-- What bounds the freeze by one person (docs/rules/merchant_states.md, MST-11). What it may do is
-- in merchant_state.sql; here is who may not, and how much.

-- How many merchants a person named in emergency freezes that are open, or not a day old.
CREATE OR REPLACE FUNCTION public.merchants_emergency_used(p_person_id uuid, p_at timestamptz)
RETURNS bigint LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(sum(jsonb_array_length(a.after -> 'merchants')), 0)::bigint
    FROM public.foundation_approval a
   WHERE a.action = 'merchants.emergency' AND a.maker_person_id = p_person_id
     AND (a.state = 'PROPOSED' OR a.proposed_at > p_at - interval '24 hours')
$$;

-- Nobody freezes a merchant for which he acts or acted, nor more than the limit. The person's row
-- is locked, so that two lists of one person are counted one after the other.
CREATE OR REPLACE FUNCTION public.merchants_emergency_bounded() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  asked record;
BEGIN
  FOR asked IN
    SELECT DISTINCT a.maker_person_id, a.proposed_at
      FROM new_rows n
      JOIN public.foundation_approval a
        ON a.merchant_id = n.approval_book AND a.id = n.approval_id
     WHERE a.action = 'merchants.emergency' AND a.state = 'PROPOSED'
     ORDER BY 1, 2
  LOOP
    PERFORM FROM public.foundation_person p WHERE p.id = asked.maker_person_id FOR NO KEY UPDATE;
    IF public.merchants_emergency_used(asked.maker_person_id, asked.proposed_at) > 50 THEN
      RAISE EXCEPTION 'merchant_emergency_limit: person % has frozen as many as one person may',
        asked.maker_person_id USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (SELECT FROM new_rows n
        JOIN public.merchants_membership m ON m.merchant_id = n.merchant_id
        JOIN public.foundation_user u ON u.id = m.user_id
       WHERE u.person_id = asked.maker_person_id) THEN
      RAISE EXCEPTION 'merchant_emergency_insider: who acts for a merchant freezes it not alone'
        USING ERRCODE = 'restrict_violation';
    END IF;
  END LOOP;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER emergency_bounded AFTER INSERT ON public.merchants_merchant_transition
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
EXECUTE FUNCTION public.merchants_emergency_bounded();

-- An emergency freeze is decided by another person, never taken back by its maker.
CREATE OR REPLACE FUNCTION public.merchants_emergency_stays() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'merchant_emergency_stays: another person decides on emergency freeze %', OLD.id
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE OR REPLACE TRIGGER emergency_stays BEFORE UPDATE OF state ON public.foundation_approval
FOR EACH ROW WHEN (NEW.action = 'merchants.emergency'
  AND NEW.state NOT IN ('PROPOSED', 'APPROVED', 'REJECTED'))
EXECUTE FUNCTION public.merchants_emergency_stays();
