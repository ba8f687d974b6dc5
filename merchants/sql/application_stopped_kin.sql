-- Applications that wait for a decision and share a number with one that was refused, or with a
-- merchant that is frozen (docs/rules/links.md, LNK-8). Each number is followed along its index.
WITH waiting AS (
  SELECT a.id, a.merchant_id, a.registration_no, a.account_hash, a.concerns_id
    FROM public.merchants_application a
   WHERE a.merchant_id = %(house)s AND a.state IN ('SUBMITTED', 'FIRST_REVIEW')
   ORDER BY a.id DESC LIMIT %(most)s
), kin AS (
  SELECT w.id, w.concerns_id, a.id AS other FROM waiting w
    JOIN public.merchants_application a
      ON a.registration_no = w.registration_no AND a.registration_no <> ''
  UNION
  SELECT w.id, w.concerns_id, a.id FROM waiting w
    JOIN public.merchants_application a ON a.account_hash = w.account_hash
  UNION
  SELECT w.id, w.concerns_id, b.application_id FROM waiting w
    JOIN public.merchants_application_owner o
      ON o.merchant_id = w.merchant_id AND o.application_id = w.id
    JOIN public.merchants_application_owner b ON b.identity_hash = o.identity_hash
  UNION
  SELECT w.id, w.concerns_id, b.application_id FROM waiting w
    JOIN public.merchants_application_contact c
      ON c.merchant_id = w.merchant_id AND c.application_id = w.id
    JOIN public.merchants_application_contact b ON b.phone_hash = c.phone_hash
), stopped AS (
  SELECT k.id FROM kin k
    JOIN public.merchants_application a ON a.id = k.other AND a.id <> k.id
    LEFT JOIN public.merchants_merchant m ON m.id = coalesce(a.became_id, a.concerns_id)
   WHERE (a.state = 'REJECTED' OR m.status = 'FROZEN')
     AND (m.id IS NULL OR m.id IS DISTINCT FROM k.concerns_id)
  UNION
  SELECT w.id FROM waiting w
    JOIN public.merchants_merchant m
      ON m.registration_no = w.registration_no AND m.registration_no <> ''
   WHERE m.status = 'FROZEN' AND m.id IS DISTINCT FROM w.concerns_id
  UNION
  SELECT w.id FROM waiting w
    JOIN public.merchants_bank_account b ON b.number_hash = w.account_hash
    JOIN public.merchants_merchant m ON m.id = b.merchant_id AND m.status = 'FROZEN'
   WHERE m.id IS DISTINCT FROM w.concerns_id
)
SELECT s.id FROM stopped s ORDER BY s.id
