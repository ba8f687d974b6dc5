-- The chunk's payments with the fee version in force at each one's instant, and the fee:
-- percentage, rounded half up, plus the fixed part, then minimum and cap, never above the amount
-- (FEE-3). Times 0.01 is exact, where a division would be cut to so many digits first and so be
-- rounded twice. The version is looked up once for each (merchant, product, channel, currency,
-- day).
CREATE TEMPORARY TABLE clearing_payment ON COMMIT DROP AS
WITH version AS MATERIALIZED (
  SELECT d.*, channels_fee_rule_for(d.merchant_id, d.product_id, d.channel_id, d.currency, d.day)
         AS fee_rule_id
    FROM (SELECT DISTINCT merchant_id, product_id, channel_id, currency, day
            FROM pg_temp.clearing_fact) d
), price AS MATERIALIZED (
  SELECT v.*, r.rate_percent,
         round(r.fixed * power(10::numeric, currency.exponent)) AS fixed,
         round(r.minimum * power(10::numeric, currency.exponent)) AS minimum,
         round(r.cap * power(10::numeric, currency.exponent)) AS cap
    FROM version v
    JOIN {currencies} ON currency.code = v.currency
    LEFT JOIN channels_fee_rule r ON r.id = v.fee_rule_id
)
SELECT f.id, f.merchant_id, f.currency, f.channel_id, f.amount_minor, p.fee_rule_id,
       least(f.amount_minor, greatest(p.minimum, least(p.cap,
         round(f.amount_minor * p.rate_percent * 0.01) + p.fixed)))::bigint AS fee_minor
  FROM pg_temp.clearing_fact f
  JOIN price p USING (merchant_id, product_id, channel_id, currency, day)
