-- What one clearing chunk's payments bring. A table of its own, so that its statistics can be
-- taken: what was booked a moment ago is in nobody's histogram, and would be planned as one row.
CREATE TEMPORARY TABLE due_fact ON COMMIT DROP AS
SELECT p.merchant_id, p.id, p.currency, p.amount_minor - f.fee_minor AS net, p.business_date
  FROM channels_pricing f
  JOIN channels_payment p ON p.merchant_id = f.merchant_id AND p.id = f.payment_id
 WHERE f.chunk_id = %(chunk_id)s
