-- A paper is the one its proposal names: place, name, type, size and SHA-256 of the bytes.
CREATE OR REPLACE FUNCTION public.foundation_approval_attachment_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  named jsonb;
BEGIN
  SELECT a.attachments -> NEW.position::integer INTO named FROM public.foundation_approval a
   WHERE a.merchant_id = NEW.merchant_id AND a.id = NEW.approval_id;
  IF named IS DISTINCT FROM jsonb_build_object(
       'name', NEW.name, 'media_type', NEW.media_type, 'size_bytes', octet_length(NEW.content),
       'sha256', encode(sha256(NEW.content), 'hex')) THEN
    RAISE EXCEPTION 'approval_paper_unknown: approval % names no such paper', NEW.approval_id
      USING ERRCODE = 'check_violation';
  END IF;
  IF octet_length(NEW.content) NOT BETWEEN 1 AND 5 * 1024 * 1024 THEN
    RAISE EXCEPTION 'approval_paper_size: a paper has between 1 byte and 5 MiB'
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER approval_attachment_guard
BEFORE INSERT ON public.foundation_approval_attachment
FOR EACH ROW EXECUTE FUNCTION public.foundation_approval_attachment_guard();
