-- Who is of staff, and in which roles, comes by a proposal that is approved in this very
-- transaction, or from an operator on the server (ROL-13).

-- Nobody calls this: the right to execute it is the right to make staff without a proposal. The
-- owner of the tables has it (migrate, create_staff); the product's role does not.
CREATE OR REPLACE FUNCTION public.foundation_staff_by_hand() RETURNS void
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS '';
REVOKE ALL ON FUNCTION public.foundation_staff_by_hand() FROM PUBLIC;

-- By who signed in at the server: neither SET ROLE nor a function of somebody else's changes it.
CREATE OR REPLACE FUNCTION public.foundation_by_operator() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT has_function_privilege(session_user, 'public.foundation_staff_by_hand()', 'EXECUTE')
$$;

-- What staff proposed and others approved, closed by this transaction: the version of a closed row
-- is the last, so its xmin is the transaction that closed it. Nothing can be kept for later.
CREATE OR REPLACE FUNCTION public.foundation_approved_now(p_action text, p_permission text)
RETURNS SETOF public.foundation_approval
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.* FROM public.foundation_approval a
    JOIN public.foundation_user m ON m.id = a.maker_id AND m.is_staff
   WHERE a.action = p_action AND a.permission = p_permission AND a.state = 'APPROVED'
     AND a.xmin = pg_current_xact_id()::xid
$$;

-- Of these, what is about this account, and was proposed and decided by others than its person.
CREATE OR REPLACE FUNCTION public.foundation_staff_account_approved(u public.foundation_user)
RETURNS SETOF public.foundation_approval
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.*
    FROM public.foundation_approved_now(
      'foundation.staff_account', 'foundation.approve_staffaccount') a
   WHERE u.is_staff AND NOT u.is_superuser AND a.after ->> 'account' = u.username
     AND CASE WHEN a.after ? 'user_id'
           THEN a.subject = 'user:' || u.id AND a.after ->> 'user_id' = u.id::text
           ELSE a.subject = 'staff:' || u.username END
     AND a.maker_person_id <> u.person_id
     AND NOT EXISTS (SELECT FROM public.foundation_approval_decision d
          WHERE d.merchant_id = a.merchant_id AND d.approval_id = a.id
            AND u.person_id IN (d.checker_person_id, d.delegator_person_id))
$$;

-- Where the mail of an address lands, in one form (AP-3; foundation/models/user.py says the same).
CREATE OR REPLACE FUNCTION public.foundation_mailbox(p_address text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT regexp_replace(lower(btrim(p_address)), '^([^+]+)[+].*@', '\1@')
$$;

-- An account of staff is made as approved: its name, address and language, and of a person that is
-- new, or the one the proposal named. It keeps its name and address (by which a person is known to
-- be one of a merchant's), stays of staff and is never deleted; one person may switch it off, and
-- take the right to everything away.
CREATE OR REPLACE FUNCTION public.foundation_staff_account_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF public.foundation_by_operator() THEN
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
  END IF;
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'staff_account_fixed: account % is switched off, never deleted', OLD.username
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NOT EXISTS (SELECT FROM public.foundation_staff_account_approved(NEW) a
         WHERE NOT a.after ? 'user_id' AND NEW.last_name = ''
           AND a.after ->> 'name' = NEW.first_name AND a.after ->> 'email' = NEW.email
           AND a.after ->> 'language' = NEW.language
           AND CASE a.after ->> 'person_id' WHEN '' THEN NOT EXISTS (
                 SELECT FROM public.foundation_user o
                  WHERE o.person_id = NEW.person_id
                     OR public.foundation_mailbox(o.email) = public.foundation_mailbox(NEW.email))
               ELSE a.after ->> 'person_id' = NEW.person_id::text END) THEN
      RAISE EXCEPTION 'staff_account_not_approved: nobody approved account %', NEW.username
        USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF (NEW.id, NEW.username, NEW.email, NEW.is_staff)
       IS DISTINCT FROM (OLD.id, OLD.username, OLD.email, OLD.is_staff) THEN
    RAISE EXCEPTION 'staff_account_fixed: account % keeps its name, address and kind', OLD.username
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF (NEW.is_superuser AND NOT OLD.is_superuser) OR (NEW.is_active AND NOT OLD.is_active
       AND NOT EXISTS (SELECT FROM public.foundation_staff_account_approved(NEW) a
            WHERE a.after -> 'is_active' = 'true' AND a.after ? 'user_id')) THEN
    RAISE EXCEPTION 'staff_account_not_approved: nobody approved this of account %', OLD.username
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER staff_account_made BEFORE INSERT ON public.foundation_user
FOR EACH ROW WHEN (NEW.is_staff OR NEW.is_superuser)
EXECUTE FUNCTION public.foundation_staff_account_guard();
CREATE OR REPLACE TRIGGER staff_account_changed BEFORE UPDATE ON public.foundation_user
FOR EACH ROW WHEN (NEW.id IS DISTINCT FROM OLD.id
  OR (OLD.is_staff OR OLD.is_superuser OR NEW.is_staff OR NEW.is_superuser)
    AND (NEW.username, NEW.email, NEW.is_staff, NEW.is_superuser, NEW.is_active)
      IS DISTINCT FROM (OLD.username, OLD.email, OLD.is_staff, OLD.is_superuser, OLD.is_active))
EXECUTE FUNCTION public.foundation_staff_account_guard();
-- A merchant's person neither: keys are proved at the end of a transaction, so the same account
-- could come back as another person's, who acted for nobody (AP-12).
CREATE OR REPLACE TRIGGER staff_account_stays BEFORE DELETE ON public.foundation_user
FOR EACH ROW EXECUTE FUNCTION public.foundation_staff_account_guard();

-- An account gets the roles that were approved for it, and no right beside them. Taking is free.
CREATE OR REPLACE FUNCTION public.foundation_staff_account_rights() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF public.foundation_by_operator() OR TG_TABLE_NAME = 'foundation_user_groups' AND EXISTS (
      SELECT FROM public.foundation_user u
        JOIN public.auth_group g ON g.id = (to_jsonb(NEW) ->> 'group_id')::integer
       CROSS JOIN LATERAL public.foundation_staff_account_approved(u) a
       WHERE u.id = NEW.user_id AND a.after -> 'roles' ? g.name) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'staff_role_not_given: nobody approved this right of account %', NEW.user_id
    USING ERRCODE = 'check_violation';
END $$;

CREATE OR REPLACE TRIGGER staff_account_rights
BEFORE INSERT OR UPDATE ON public.foundation_user_groups
FOR EACH ROW EXECUTE FUNCTION public.foundation_staff_account_rights();
CREATE OR REPLACE TRIGGER staff_account_rights
BEFORE INSERT OR UPDATE ON public.foundation_user_user_permissions
FOR EACH ROW EXECUTE FUNCTION public.foundation_staff_account_rights();
