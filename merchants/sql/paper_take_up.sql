-- Write the papers an approved application stands on.
INSERT INTO merchants_paper (merchant_id, kind, line_no, about, valid_until, application_book,
       application_id, taken_on, actor, request_id)
SELECT %(merchant)s, p.kind, p.line_no, p.about, p.valid_until, %(book)s, %(application)s,
       %(taken_on)s, %(actor)s, %(request_id)s
  FROM merchants_papers_of(%(book)s, %(application)s, %(taken_on)s) p
 ORDER BY p.kind, p.line_no
