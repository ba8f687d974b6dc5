-- Each staged refund with the payment it names: over all merchants, or in the merchant's book where
-- the file says which. `matches` is how many there are; the payment is set where there is one.
CREATE TEMPORARY TABLE intake_refund_found ON COMMIT DROP AS
SELECT s.row_no, f.matches, f.payment_id, f.merchant_id, f.currency, f.amount_minor, f.captured_at,
       (s.merchant_no <> '' AND m.id IS NULL) AS unknown_merchant
  FROM pg_temp.intake_refund s
  LEFT JOIN merchants_merchant m ON m.merchant_no = s.merchant_no AND m.kind = 'MERCHANT'
  CROSS JOIN LATERAL (
    SELECT count(*) AS matches, min(p.id) AS payment_id, min(p.merchant_id) AS merchant_id,
           min(p.currency) AS currency, min(p.amount_minor) AS amount_minor,
           min(p.captured_at) AS captured_at
      FROM channels_payment p
     WHERE p.payment_no = s.payment_no AND (s.merchant_no = '' OR p.merchant_id = m.id)) f
