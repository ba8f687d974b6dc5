-- What the database itself guarantees about papers (docs/rules/documents.md, DOC-6, DOC-8).

-- A new paper comes encrypted. One from before either holds its bytes, which are those of its hash,
-- or has been encrypted since. NULL decides nothing here.
ALTER TABLE public.merchants_document DROP CONSTRAINT IF EXISTS document_hash;
ALTER TABLE public.merchants_document ADD CONSTRAINT document_hash CHECK (
  CASE WHEN content IS NULL
    THEN coalesce(part_count, 0) > 0 AND preview IS NULL AND sha256 ~ '^[0-9a-f]{64}$'
    ELSE part_count IS NULL AND preview_count = 0 AND size_bytes = octet_length(content)
      AND sha256 = encode(sha256(content), 'hex') END);
-- Ciphertext does not shrink: store it as it is, and read the beginning of it alone.
ALTER TABLE public.merchants_document_part ALTER COLUMN content SET STORAGE EXTERNAL;
ALTER TABLE public.merchants_document_part DROP CONSTRAINT IF EXISTS document_part_size;
ALTER TABLE public.merchants_document_part ADD CONSTRAINT document_part_size
  CHECK (octet_length(content) BETWEEN 30 AND 4 * 1024 * 1024);

-- A document comes, and is taken off once, while its application is open. At any time plain bytes
-- may give way to encrypted parts, and it may be marked as damaged; else nothing of it changes.
CREATE OR REPLACE FUNCTION public.merchants_document_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' AND (NEW.content IS NOT NULL OR NEW.damaged_at IS NOT NULL) THEN
    RAISE EXCEPTION 'document_plain: a new document comes encrypted'
      USING ERRCODE = 'check_violation';
  END IF;
  IF TG_OP = 'UPDATE' THEN
    IF (NEW.id, NEW.merchant_id, NEW.application_id, NEW.uuid, NEW.kind, NEW.file_name,
        NEW.content_type, NEW.sha256, NEW.size_bytes, NEW.pages, NEW.uploaded_by_id,
        NEW.uploaded_at)
       IS DISTINCT FROM
       (OLD.id, OLD.merchant_id, OLD.application_id, OLD.uuid, OLD.kind, OLD.file_name,
        OLD.content_type, OLD.sha256, OLD.size_bytes, OLD.pages, OLD.uploaded_by_id,
        OLD.uploaded_at)
       OR (OLD.removed_at IS NOT NULL AND NEW.removed_at IS DISTINCT FROM OLD.removed_at)
       OR ((NEW.content, NEW.preview, NEW.part_count, NEW.preview_count)
           IS DISTINCT FROM (OLD.content, OLD.preview, OLD.part_count, OLD.preview_count)
           AND (OLD.content IS NULL OR NEW.content IS NOT NULL)) THEN
      RAISE EXCEPTION 'document_fixed: document % cannot change', OLD.id
        USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.removed_at IS NOT DISTINCT FROM OLD.removed_at THEN
      RETURN NEW;
    END IF;
  END IF;
  PERFORM FROM public.merchants_application a
   WHERE a.merchant_id = NEW.merchant_id AND a.id = NEW.application_id
     AND a.state IN ('DRAFT', 'RETURNED') FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'application_frozen: the documents of application % cannot change',
      NEW.application_id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER document_guard BEFORE INSERT OR UPDATE ON public.merchants_document
  FOR EACH ROW EXECUTE FUNCTION public.merchants_document_guard();

-- A part has one of the places that its paper counts; later its cipher alone is written anew.
CREATE OR REPLACE FUNCTION public.merchants_document_part_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF (NEW.id, NEW.merchant_id, NEW.document_id, NEW.page, NEW.position, NEW.uuid)
       IS DISTINCT FROM
       (OLD.id, OLD.merchant_id, OLD.document_id, OLD.page, OLD.position, OLD.uuid) THEN
      RAISE EXCEPTION 'document_fixed: part % of document % cannot change', OLD.id, OLD.document_id
        USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF NOT EXISTS (
      SELECT FROM public.merchants_document d
       WHERE d.merchant_id = NEW.merchant_id AND d.id = NEW.document_id
         AND CASE WHEN NEW.page = 0 THEN NEW.position < coalesce(d.part_count, 0)
               ELSE NEW.page <= d.preview_count AND NEW.position = 0 END) THEN
    RAISE EXCEPTION 'document_part_unknown: document % has no such part', NEW.document_id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER document_part_guard BEFORE INSERT OR UPDATE
ON public.merchants_document_part
FOR EACH ROW EXECUTE FUNCTION public.merchants_document_part_guard();

-- When the transaction ends, every part that a paper counts is there.
CREATE OR REPLACE FUNCTION public.merchants_document_whole() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  there bigint;
BEGIN
  SELECT count(*) INTO there FROM public.merchants_document_part
   WHERE merchant_id = NEW.merchant_id AND document_id = NEW.id;
  IF there <> coalesce(NEW.part_count, 0) + NEW.preview_count THEN
    RAISE EXCEPTION 'document_whole: document % has % parts', NEW.id, there
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS document_whole ON public.merchants_document;
CREATE CONSTRAINT TRIGGER document_whole
  AFTER INSERT OR UPDATE OF content, part_count, preview_count ON public.merchants_document
  DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.merchants_document_whole();
