-- A delivery goes to an endpoint of its own merchant; made once, by a migration.
ALTER TABLE public.merchants_webhook_endpoint
  ADD CONSTRAINT webhook_endpoint_of_merchant UNIQUE (merchant_id, id);
ALTER TABLE public.merchants_webhook_delivery
  ADD CONSTRAINT webhook_delivery_endpoint FOREIGN KEY (merchant_id, endpoint_id)
    REFERENCES public.merchants_webhook_endpoint (merchant_id, id);

-- What is proved before an address is told anything, and before its secret is shown (WHK-5).
INSERT INTO public.merchants_verification_rule
  (operation, currency, from_amount_minor, factors, together, in_force) VALUES
  ('webhook.create', '', 0, ARRAY['payment_password', 'one_time_code'], false, true),
  ('webhook.show', '', 0, ARRAY['payment_password', 'one_time_code'], false, true)
ON CONFLICT DO NOTHING;
