-- What the database itself guarantees about papers with an end (docs/rules/papers.md). Whose an
-- application is says merchants_application_of (application_change.sql).

-- The papers an application stands on, as it says them; the periodic re-review is reckoned from the
-- day of the approval, by risk grade: high 1 year, medium 2, low 3. 9999-12-31 is "no end".
CREATE OR REPLACE FUNCTION public.merchants_papers_of(
  p_book bigint, p_application bigint, p_taken_on date
) RETURNS TABLE (kind text, line_no smallint, about text, valid_until date)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT p.kind, 0::smallint, left(p.about, 200), p.valid_until
    FROM public.merchants_application a
    LEFT JOIN public.merchants_industry i ON i.code = a.industry_id
   CROSS JOIN LATERAL (VALUES
     ('LICENCE', a.registration_no,
      CASE WHEN a.licence_long_term THEN date '9999-12-31' ELSE a.licence_until END),
     ('CONTRACT', a.contract_type::text, coalesce(a.contract_until, date '9999-12-31')),
     ('FILING', a.filing_no,
      CASE WHEN a.filing_no <> '' THEN coalesce(a.filing_until, date '9999-12-31') END),
     ('REVIEW', '', (p_taken_on
       + make_interval(years => 4 - greatest(a.risk_grade, i.risk_grade)))::date)
   ) AS p (kind, about, valid_until)
   WHERE a.merchant_id = p_book AND a.id = p_application AND p.valid_until IS NOT NULL
  UNION ALL
  SELECT CASE WHEN o.legal_representative THEN 'LEGAL_PERSON_ID' ELSE 'OWNER_ID' END,
         o.line_no::smallint, o.name,
         CASE WHEN o.identity_long_term THEN date '9999-12-31' ELSE o.identity_until END
    FROM public.merchants_application_owner o
   WHERE o.merchant_id = p_book AND o.application_id = p_application AND o.kind = 'PERSON'
     AND (o.identity_long_term OR o.identity_until IS NOT NULL)
$$;

-- Papers come whole, with an application that was approved for this merchant, as it says them.
CREATE OR REPLACE FUNCTION public.merchants_paper_taken() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  bad text;
BEGIN
  SELECT n.application_id::text INTO bad
    FROM (SELECT DISTINCT merchant_id, application_book, application_id, taken_on
            FROM new_rows) n
    LEFT JOIN public.merchants_application a
      ON a.merchant_id = n.application_book AND a.id = n.application_id AND a.state = 'APPROVED'
     AND public.merchants_application_of(a) = n.merchant_id
    LEFT JOIN public.merchants_application_transition t
      ON t.merchant_id = a.merchant_id AND t.application_id = a.id AND t.to_state = 'APPROVED'
     AND t.at BETWEEN n.taken_on - interval '1 day' AND n.taken_on + interval '2 days'
   WHERE t.id IS NULL LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'paper_unapproved: nobody approved application % for it then', bad
      USING ERRCODE = 'check_violation';
  END IF;
  WITH meant AS (
    SELECT n.merchant_id, n.application_id, p.kind, p.line_no::int AS line_no, p.about,
           p.valid_until
      FROM (SELECT DISTINCT merchant_id, application_book, application_id, taken_on
              FROM new_rows) n
     CROSS JOIN LATERAL public.merchants_papers_of(
       n.application_book, n.application_id, n.taken_on) p
  ), said AS (
    SELECT merchant_id, application_id, kind::text AS kind, line_no::int AS line_no,
           about::text AS about, valid_until FROM new_rows
  )
  SELECT d.application_id::text INTO bad
    FROM ((TABLE said EXCEPT TABLE meant) UNION ALL (TABLE meant EXCEPT TABLE said)) d LIMIT 1;
  IF FOUND OR EXISTS (SELECT FROM new_rows WHERE superseded_by IS NOT NULL) THEN
    RAISE EXCEPTION 'paper_not_as_approved: application % says other papers', bad
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER paper_taken AFTER INSERT ON public.merchants_paper
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
EXECUTE FUNCTION public.merchants_paper_taken();

-- Nothing of a paper changes, but that an application of the same merchant, approved later,
-- supersedes it, once.
CREATE OR REPLACE FUNCTION public.merchants_paper_fixed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF OLD.superseded_by IS NOT NULL OR NEW.superseded_by IS NULL
     OR (to_jsonb(NEW) - 'superseded_by') IS DISTINCT FROM (to_jsonb(OLD) - 'superseded_by') THEN
    RAISE EXCEPTION 'paper_fixed: paper % cannot change', OLD.id USING ERRCODE = 'check_violation';
  END IF;
  IF NOT EXISTS (
      SELECT FROM public.merchants_application a
        JOIN public.merchants_application_transition t ON t.merchant_id = a.merchant_id
         AND t.application_id = a.id AND t.to_state = 'APPROVED'
        JOIN public.merchants_application_transition before
          ON before.merchant_id = OLD.application_book
         AND before.application_id = OLD.application_id AND before.to_state = 'APPROVED'
         AND before.id < t.id
       WHERE a.merchant_id = OLD.application_book AND a.id = NEW.superseded_by
         AND a.state = 'APPROVED' AND public.merchants_application_of(a) = OLD.merchant_id) THEN
    RAISE EXCEPTION 'paper_superseded_by_nothing: no application approved later replaces paper %',
      OLD.id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER paper_fixed BEFORE UPDATE ON public.merchants_paper
FOR EACH ROW EXECUTE FUNCTION public.merchants_paper_fixed();

-- A warning names a current paper and its day, at a stage that day has reached.
CREATE OR REPLACE FUNCTION public.merchants_paper_notice_true() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (
      SELECT FROM new_rows n
        LEFT JOIN public.merchants_paper p ON p.merchant_id = n.merchant_id AND p.id = n.paper_id
         AND p.valid_until = n.due_date AND p.superseded_by IS NULL
       WHERE p.id IS NULL OR n.due_date - n.on_date > CASE n.stage
         WHEN 'DAYS_60' THEN 60 WHEN 'DAYS_30' THEN 30 WHEN 'DAYS_7' THEN 7 WHEN 'END' THEN 0
         ELSE -1 END) THEN
    RAISE EXCEPTION 'paper_notice_untrue: no current paper has come so near to its end'
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER paper_notice_true AFTER INSERT ON public.merchants_paper_notice
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
EXECUTE FUNCTION public.merchants_paper_notice_true();
