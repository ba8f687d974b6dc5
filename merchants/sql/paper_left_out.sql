-- What is approved is watched: an approval commits only together with the papers that its
-- application says, and none of those it stood on before stays current (PAP-1).
CREATE OR REPLACE FUNCTION public.merchants_papers_taken_up() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_merchant constant bigint := coalesce(NEW.became_id, NEW.concerns_id);
BEGIN
  IF EXISTS (
      SELECT FROM public.merchants_papers_of(NEW.merchant_id, NEW.id, current_date) w
       WHERE NOT EXISTS (
         SELECT FROM public.merchants_paper p
          WHERE p.merchant_id = v_merchant AND p.application_book = NEW.merchant_id
            AND p.application_id = NEW.id AND p.kind = w.kind AND p.line_no = w.line_no))
     OR EXISTS (
      SELECT FROM public.merchants_paper p
        JOIN public.merchants_application_transition former
          ON former.merchant_id = p.application_book AND former.application_id = p.application_id
         AND former.to_state = 'APPROVED'
        JOIN public.merchants_application_transition now
          ON now.merchant_id = NEW.merchant_id AND now.application_id = NEW.id
         AND now.to_state = 'APPROVED'
       WHERE p.merchant_id = v_merchant AND p.superseded_by IS NULL
         AND p.application_id <> NEW.id AND former.id < now.id) THEN
    RAISE EXCEPTION 'paper_left_out: the papers of application % are not taken up', NEW.number
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS watches_papers ON public.merchants_application;
CREATE CONSTRAINT TRIGGER watches_papers AFTER UPDATE ON public.merchants_application
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (NEW.state = 'APPROVED' AND OLD.state <> 'APPROVED')
EXECUTE FUNCTION public.merchants_papers_taken_up();
