-- The staged rows that are not known yet, in one order for everybody, with the chunks in which they
-- will be cleared. `business_date` is computed here, once, and never again.
WITH stored AS (
  INSERT INTO channels_payment (merchant_id, payment_no, order_no, product_id, channel_id,
         amount_minor, currency, captured_at, business_date, payer_hash,
         payer_masked, code_kind, intake_id)
  SELECT m.id, s.payment_no, s.order_no, p.id, c.id, {amount_minor}, s.currency,
         s.moment, ((s.moment AT TIME ZONE %(zone)s) - %(cut_off)s::interval)::date,
         y.payer_hash, coalesce(y.payer_masked, ''), s.code_kind, %(intake_id)s
    FROM (SELECT *, captured_at::timestamptz AS moment FROM {table} OFFSET 0) s  -- read once
    JOIN merchants_merchant m ON m.merchant_no = s.merchant_no
    JOIN channels_product p ON p.code = s.product
    JOIN channels_channel c ON c.code = s.channel
    JOIN {currencies} ON currency.code = s.currency
    LEFT JOIN {payers} y ON y.row_no = s.row_no
   WHERE NOT %(some_known)s OR NOT EXISTS (
           SELECT FROM channels_payment k
            WHERE k.payment_no = s.payment_no AND k.merchant_id = m.id)
   ORDER BY m.id, s.moment, s.payment_no
  {on_conflict}
  RETURNING id
), numbered AS (
  SELECT id, (row_number() OVER (ORDER BY id) - 1) / %(chunk_size)s AS place FROM stored
), chunked AS (
  INSERT INTO channels_chunk (kind, intake_id, from_id, to_id, facts, state, created_at)
  SELECT 'PAYMENT', %(intake_id)s, min(id), max(id), count(*), 'NEW', %(at)s
    FROM numbered GROUP BY place ORDER BY place
  RETURNING facts
)
SELECT coalesce(sum(facts), 0)::bigint AS new FROM chunked
