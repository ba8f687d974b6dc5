-- To whom and into which role an invitation is never changes; one that ended is over. A custom role
-- is of the same merchant as who has it.
CREATE OR REPLACE FUNCTION public.merchants_invitation_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (to_jsonb(NEW) - '{version,expires_at,accepted_at,accepted_by_id,withdrawn_at}'::text[])
    IS DISTINCT FROM
    (to_jsonb(OLD) - '{version,expires_at,accepted_at,accepted_by_id,withdrawn_at}'::text[])
    OR NEW.version < OLD.version
    OR OLD.accepted_at IS NOT NULL OR OLD.withdrawn_at IS NOT NULL THEN
    RAISE EXCEPTION 'invitation_fixed: invitation % cannot change', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER invitation_guard BEFORE UPDATE ON public.merchants_invitation
  FOR EACH ROW EXECUTE FUNCTION public.merchants_invitation_guard();
ALTER TABLE public.merchants_invitation
  ADD CONSTRAINT invitation_role_of_merchant FOREIGN KEY (merchant_id, custom_role_id)
  REFERENCES public.merchants_custom_role (merchant_id, id);
ALTER TABLE public.merchants_membership
  ADD CONSTRAINT membership_role_of_merchant FOREIGN KEY (merchant_id, custom_role_id)
  REFERENCES public.merchants_custom_role (merchant_id, id);
CREATE TRIGGER refuse_delete BEFORE DELETE ON public.merchants_invitation
  FOR EACH ROW EXECUTE FUNCTION public.foundation_refuse_change();
CREATE TRIGGER refuse_delete BEFORE DELETE ON public.merchants_custom_role
  FOR EACH ROW EXECUTE FUNCTION public.foundation_refuse_change();
