-- A paper is the one its proposal names: place, name, type, and as long as the proposal says its
-- bytes are. They lie encrypted, so their hash is compared by whoever reads them. A paper stays;
-- its cipher alone is written anew, when keys rotate.
CREATE OR REPLACE FUNCTION public.foundation_approval_attachment_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  named jsonb;
  most_mark constant integer := 200;  -- key's name, nonce, seal
BEGIN
  IF TG_OP = 'UPDATE' AND (NEW.id, NEW.merchant_id, NEW.approval_id, NEW.position, NEW.uuid,
       NEW.name, NEW.media_type, NEW.actor, NEW.request_id)
     IS DISTINCT FROM (OLD.id, OLD.merchant_id, OLD.approval_id, OLD.position, OLD.uuid,
       OLD.name, OLD.media_type, OLD.actor, OLD.request_id) THEN
    RAISE EXCEPTION 'append_only: paper % of approval % cannot change', OLD.id, OLD.approval_id
      USING ERRCODE = 'restrict_violation';
  END IF;
  SELECT a.attachments -> NEW.position::integer INTO named FROM public.foundation_approval a
   WHERE a.merchant_id = NEW.merchant_id AND a.id = NEW.approval_id;
  IF (named ->> 'name', named ->> 'media_type') IS DISTINCT FROM (NEW.name, NEW.media_type)
     OR NOT coalesce(octet_length(NEW.content) - (named ->> 'size_bytes')::integer
                     BETWEEN 29 AND most_mark, false) THEN
    RAISE EXCEPTION 'approval_paper_unknown: approval % names no such paper', NEW.approval_id
      USING ERRCODE = 'check_violation';
  END IF;
  IF (named ->> 'size_bytes')::integer NOT BETWEEN 1 AND 5 * 1024 * 1024 THEN
    RAISE EXCEPTION 'approval_paper_size: a paper has between 1 byte and 5 MiB'
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER approval_attachment_guard
BEFORE INSERT OR UPDATE ON public.foundation_approval_attachment
FOR EACH ROW EXECUTE FUNCTION public.foundation_approval_attachment_guard();
