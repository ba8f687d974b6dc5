-- The matrix a house begins with; people change it by approval (docs/rules/verification.md).
INSERT INTO public.merchants_verification_rule
  (operation, currency, from_amount_minor, factors, together, in_force) VALUES
  ('withdrawal', 'CNY', 5000000, ARRAY['payment_password', 'one_time_code'], false, true),
  ('withdrawal', 'CNY', 50000000, ARRAY['payment_password', 'one_time_code'], true, true),
  ('bank_account.add', '', 0, ARRAY['payment_password', 'one_time_code'], false, true),
  ('bank_account.change', '', 0, ARRAY['payment_password', 'one_time_code'], false, true),
  ('api_key.create', '', 0, ARRAY['payment_password', 'one_time_code'], false, true),
  ('api_key.show', '', 0, ARRAY['payment_password', 'one_time_code'], false, true),
  ('payment_password.set', '', 0, ARRAY['one_time_code'], false, true),
  ('payment_password.change', '', 0, ARRAY['payment_password'], false, true),
  ('membership.change', '', 0, ARRAY['payment_password', 'one_time_code'], false, true)
ON CONFLICT DO NOTHING;
