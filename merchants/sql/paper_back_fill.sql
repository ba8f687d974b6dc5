-- The papers of merchants that were approved before papers were kept.
INSERT INTO public.merchants_paper (merchant_id, kind, line_no, about, valid_until,
       application_book, application_id, taken_on, actor, request_id)
SELECT a.became_id, p.kind, p.line_no, p.about, p.valid_until, a.merchant_id, a.id, d.taken_on,
       'system:migrate', 'paper_back_fill'
  FROM public.merchants_application a
  JOIN public.merchants_application_transition t ON t.merchant_id = a.merchant_id
   AND t.application_id = a.id AND t.to_state = 'APPROVED'
 CROSS JOIN LATERAL (SELECT public.foundation_business_date(t.at, %s, %s::time) AS taken_on) d
 CROSS JOIN LATERAL public.merchants_papers_of(a.merchant_id, a.id, d.taken_on) p
 WHERE a.state = 'APPROVED' AND a.became_id IS NOT NULL
   AND NOT EXISTS (SELECT FROM public.merchants_paper k
     WHERE k.merchant_id = a.became_id AND k.application_id = a.id)
