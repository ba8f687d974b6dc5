-- A row whose payment two merchants have by now, but which is stored to the letter: the same
-- content again is known, whoever took the number since.
UPDATE pg_temp.intake_refund_found f
   SET matches = 1, payment_id = k.payment_id, merchant_id = k.merchant_id, currency = k.currency,
       amount_minor = k.paid_minor, captured_at = k.captured_at
  FROM (
    SELECT DISTINCT ON (s.row_no) s.row_no, p.id AS payment_id, p.merchant_id, p.currency,
           p.amount_minor AS paid_minor, p.captured_at
      FROM pg_temp.intake_refund_found found
      JOIN pg_temp.intake_refund s ON s.row_no = found.row_no
      JOIN {currencies} ON currency.code = s.currency
      JOIN channels_payment p ON p.payment_no = s.payment_no
      JOIN channels_refund r ON r.merchant_id = p.merchant_id AND r.payment_id = p.id
       AND r.refund_no = s.refund_no AND r.amount_minor = {amount_minor}
       AND r.currency = s.currency AND r.refunded_at = s.refunded_at::timestamptz
     WHERE found.matches > 1
     ORDER BY s.row_no, p.merchant_id) k
 WHERE k.row_no = f.row_no
