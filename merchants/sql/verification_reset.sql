-- Who forgot the payment password proves the e-mail address on top of the sign-in password (S2-12).
INSERT INTO public.merchants_verification_rule
  (operation, currency, from_amount_minor, factors, together, in_force) VALUES
  ('payment_password.reset', '', 0, ARRAY['one_time_code'], false, true)
ON CONFLICT DO NOTHING;
