-- A role of the house's own is what the latest approval about it says, and its group, which has its
-- name, carries no right that the role does not name, nor any while it is off (ROL-12).
CREATE OR REPLACE FUNCTION public.foundation_staff_role_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  said public.foundation_approval%ROWTYPE;
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'staff_role_stays: role % is switched off, never deleted', OLD.name
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF TG_OP = 'UPDATE' AND (NEW.id, NEW.group_id, NEW.name)
       IS DISTINCT FROM (OLD.id, OLD.group_id, OLD.name) THEN
    RAISE EXCEPTION 'staff_role_moved: role % keeps its name and group', OLD.name
      USING ERRCODE = 'check_violation';
  END IF;
  SELECT a.* INTO said FROM public.foundation_approval a
   WHERE a.action = 'foundation.staff_role' AND a.state = 'APPROVED'
     AND a.subject = 'staff_role:' || NEW.name
   ORDER BY a.id DESC LIMIT 1;
  IF said.id IS NULL OR NEW.approval_id IS DISTINCT FROM said.id
     OR NEW.rights IS DISTINCT FROM said.after -> 'rights'
     OR NEW.purpose IS DISTINCT FROM said.after ->> 'purpose'
     OR NEW.is_active IS DISTINCT FROM (said.after ->> 'is_active')::boolean
     OR NOT EXISTS (SELECT FROM public.auth_group g
          WHERE g.id = NEW.group_id AND g.name = NEW.name) THEN
    RAISE EXCEPTION 'staff_role_not_approved: nobody approved this of role %', NEW.name
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER staff_role_guard
BEFORE INSERT OR UPDATE OR DELETE ON public.foundation_staff_role
FOR EACH ROW EXECUTE FUNCTION public.foundation_staff_role_guard();

CREATE OR REPLACE FUNCTION public.foundation_staff_role_rights() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM public.foundation_staff_role r
   WHERE r.group_id = NEW.group_id
     AND NOT coalesce(r.is_active AND r.rights ? (
       SELECT c.app_label || '.' || p.codename
         FROM public.auth_permission p JOIN public.django_content_type c ON c.id = p.content_type_id
        WHERE p.id = NEW.permission_id), false);
  IF FOUND THEN
    RAISE EXCEPTION 'staff_role_not_its_right: group % gives only what its role names',
      NEW.group_id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER staff_role_rights
BEFORE INSERT OR UPDATE ON public.auth_group_permissions
FOR EACH ROW EXECUTE FUNCTION public.foundation_staff_role_rights();
