-- What a role's group may: the table in code, brought in by an operator (ROL-1), or what two
-- persons approved of a role of the house's own, in the transaction that makes it so (ROL-12).
CREATE OR REPLACE FUNCTION public.foundation_staff_group_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF public.foundation_by_operator() THEN
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    RAISE EXCEPTION 'staff_group_fixed: group % keeps its name and stays', OLD.name
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF NOT EXISTS (SELECT FROM public.foundation_approved_now(
       'foundation.staff_role', 'foundation.approve_staffrole') a
        WHERE a.subject = 'staff_role:' || NEW.name AND a.after ->> 'name' = NEW.name) THEN
    RAISE EXCEPTION 'staff_group_not_approved: nobody approved group %', NEW.name
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER staff_group_guard BEFORE INSERT OR UPDATE OR DELETE ON public.auth_group
FOR EACH ROW EXECUTE FUNCTION public.foundation_staff_group_guard();

-- Which right is right stands in staff_role.sql; here, that it is this role's turn.
CREATE OR REPLACE FUNCTION public.foundation_staff_group_rights() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  touched integer[];
BEGIN
  IF TG_OP <> 'INSERT' THEN touched := touched || OLD.group_id; END IF;
  IF TG_OP <> 'DELETE' THEN touched := touched || NEW.group_id; END IF;
  IF NOT public.foundation_by_operator() AND EXISTS (
      SELECT FROM unnest(touched) AS t (group_id)
       WHERE t.group_id IS NULL OR NOT EXISTS (
         SELECT FROM public.foundation_staff_role r
           JOIN public.foundation_approved_now(
             'foundation.staff_role', 'foundation.approve_staffrole') a ON a.id = r.approval_id
          WHERE r.group_id = t.group_id AND a.subject = 'staff_role:' || r.name)) THEN
    RAISE EXCEPTION 'staff_group_not_approved: nobody approved this of groups %', touched
      USING ERRCODE = 'check_violation';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER staff_group_rights
BEFORE INSERT OR UPDATE OR DELETE ON public.auth_group_permissions
FOR EACH ROW EXECUTE FUNCTION public.foundation_staff_group_rights();

-- At the end of a transaction the group of an own role gives what the role names, all of it and
-- nothing else, and nothing while it is off: neither is narrowed without the other.
CREATE OR REPLACE FUNCTION public.foundation_staff_role_whole() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  uneven text;
BEGIN
  SELECT r.name INTO uneven
    FROM public.foundation_staff_role r
   CROSS JOIN public.auth_permission p
    JOIN public.django_content_type c ON c.id = p.content_type_id
   WHERE r.group_id IN ((to_jsonb(NEW) ->> 'group_id')::integer,
                        (to_jsonb(OLD) ->> 'group_id')::integer)
     AND (r.is_active AND r.rights ? (c.app_label || '.' || p.codename)) IS DISTINCT FROM EXISTS (
       SELECT FROM public.auth_group_permissions h
        WHERE h.group_id = r.group_id AND h.permission_id = p.id)
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'staff_role_uneven: the group of role % gives something else than it names',
      uneven USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS staff_role_whole ON public.foundation_staff_role;
CREATE CONSTRAINT TRIGGER staff_role_whole
AFTER INSERT OR UPDATE ON public.foundation_staff_role
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.foundation_staff_role_whole();
DROP TRIGGER IF EXISTS staff_role_whole ON public.auth_group_permissions;
CREATE CONSTRAINT TRIGGER staff_role_whole
AFTER INSERT OR UPDATE OR DELETE ON public.auth_group_permissions
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.foundation_staff_role_whole();
