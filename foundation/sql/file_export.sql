-- What the database itself guarantees about exports (docs/rules/exchange.md, EXC-8).

CREATE OR REPLACE FUNCTION public.foundation_file_export_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  of_writing constant text[] := ARRAY['state', 'rows', 'size_bytes', 'sha256', 'closed_at',
    'message', 'downloads'];
  of_sending constant text[] := ARRAY['rows', 'size_bytes', 'sha256'];
  of_ready constant text[] := ARRAY['state', 'closed_at', 'downloads'];
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state NOT IN ('REQUESTED', 'SENT') OR NEW.downloads <> 0 OR NEW.rows IS NOT NULL THEN
      RAISE EXCEPTION 'file_export_step: a new export is asked for'
        USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF (OLD.state, NEW.state) NOT IN (('REQUESTED', 'READY'), ('REQUESTED', 'FAILED'),
       ('REQUESTED', 'DELETED'), ('READY', 'READY'), ('READY', 'DELETED'),
       ('SENT', 'SENT'))
     OR NEW.downloads < OLD.downloads
     OR (OLD.state = 'REQUESTED'
         AND (to_jsonb(NEW) - of_writing) IS DISTINCT FROM (to_jsonb(OLD) - of_writing))
     OR (OLD.state = 'SENT' AND (OLD.rows IS NOT NULL OR NEW.rows IS NULL
         OR (to_jsonb(NEW) - of_sending) IS DISTINCT FROM (to_jsonb(OLD) - of_sending)))
     OR (OLD.state = 'READY'
         AND (to_jsonb(NEW) - of_ready) IS DISTINCT FROM (to_jsonb(OLD) - of_ready)) THEN
    RAISE EXCEPTION 'file_export_frozen: export % cannot change so', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.state IN ('DELETED', 'FAILED') AND EXISTS (
      SELECT FROM public.foundation_file_export_part p
       WHERE p.merchant_id = NEW.merchant_id AND p.export_id = NEW.id) THEN
    RAISE EXCEPTION 'file_export_kept: the file of export % is still there', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER file_export_guard BEFORE INSERT OR UPDATE
ON public.foundation_file_export
FOR EACH ROW EXECUTE FUNCTION public.foundation_file_export_guard();

-- A part is written while its export is; later its cipher alone is, when keys rotate.
CREATE OR REPLACE FUNCTION public.foundation_file_export_part_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE'
     AND (NEW.id, NEW.merchant_id, NEW.export_id, NEW.position, NEW.uuid)
         IS NOT DISTINCT FROM (OLD.id, OLD.merchant_id, OLD.export_id, OLD.position, OLD.uuid) THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' OR NOT EXISTS (
      SELECT FROM public.foundation_file_export e
       WHERE e.merchant_id = NEW.merchant_id AND e.id = NEW.export_id
         AND e.state = 'REQUESTED') THEN
    RAISE EXCEPTION 'file_export_part_frozen: the file of export % is written', NEW.export_id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER file_export_part_guard BEFORE INSERT OR UPDATE
ON public.foundation_file_export_part
FOR EACH ROW EXECUTE FUNCTION public.foundation_file_export_part_guard();
