-- The payments of a chunk. A table of its own, so that its statistics can be taken: what has just
-- been imported has none yet, and a join planned for one row takes minutes with fifty thousand.
CREATE TEMPORARY TABLE clearing_fact ON COMMIT DROP AS
SELECT p.id, p.merchant_id, p.product_id, p.channel_id, p.currency, p.amount_minor,
       (p.captured_at AT TIME ZONE %(zone)s)::date AS day
  FROM channels_payment p
 WHERE {chosen}
