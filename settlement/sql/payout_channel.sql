-- The simulated channel and the first version of its status map (reviewed, docs/rules/payouts.md).
INSERT INTO public.settlement_payout_channel
  (code, adapter, name, enabled, rank, currencies, cooling_seconds, not_found_seconds)
VALUES ('simulator', 'simulator', 'Simulator', true, 100, '{}', 30, 172800);

INSERT INTO public.settlement_payout_status
  (channel_id, code, version, meaning, note, created_at, actor)
SELECT c.id, m.code, 1, m.meaning, m.note, now(), 'system:migrate'
FROM public.settlement_payout_channel c, (VALUES
  ('OK', 'SUCCESS', 'paid'),
  ('IN_PROCESS', 'PROCESSING', 'accepted, not yet paid'),
  ('ACCOUNT_CLOSED', 'FAILED_CODE', 'final: the payee''s account is closed'),
  ('NAME_MISMATCH', 'FAILED_CODE', 'final: holder and number do not belong together'),
  ('BANK_REFUSED', 'FAILED_CODE', 'final: the payee''s bank refuses the money'),
  ('RETURNED_BY_BANK', 'RETURNED', 'paid, then sent back by the payee''s bank'),
  ('ORDER_NOT_FOUND', 'NOT_FOUND', 'the channel knows no such order'),
  ('ORDER_CONTENT_DIFFERS', 'CONTENT_DIFFERS', 'the number exists with other content'),
  ('SYSTEM_BUSY', 'UNKNOWN', 'says nothing about the order')
) AS m(code, meaning, note)
WHERE c.code = 'simulator';
