-- What must not change once it is written.

-- A bank account is its number, holder and currency: another one is another row. The encrypted text
-- may change (rotation of keys), its look-up hash may not.
CREATE OR REPLACE FUNCTION public.merchants_bank_account_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (NEW.merchant_id, NEW.uuid, NEW.number_hash, NEW.holder, NEW.currency)
    IS DISTINCT FROM (OLD.merchant_id, OLD.uuid, OLD.number_hash, OLD.holder, OLD.currency) THEN
    RAISE EXCEPTION 'bank_account_fixed: number, holder and currency of account % cannot change',
      OLD.id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER bank_account_guard BEFORE UPDATE ON public.merchants_bank_account
  FOR EACH ROW EXECUTE FUNCTION public.merchants_bank_account_guard();

-- A token is used once; nothing else about it ever changes.
CREATE OR REPLACE FUNCTION public.merchants_verification_token_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF OLD.used_at IS NOT NULL OR NEW.used_at IS NULL
    OR (to_jsonb(NEW) - 'used_at') IS DISTINCT FROM (to_jsonb(OLD) - 'used_at') THEN
    RAISE EXCEPTION 'verification_token_used_once: token % cannot change', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER verification_token_guard BEFORE UPDATE ON public.merchants_verification_token
  FOR EACH ROW EXECUTE FUNCTION public.merchants_verification_token_guard();

-- Keys of the institution and its partners lie in the house's book, a merchant's key in its own.
CREATE OR REPLACE FUNCTION public.merchants_api_key_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (NEW.kind = 'MERCHANT') = EXISTS (
    SELECT FROM public.merchants_merchant WHERE id = NEW.merchant_id AND kind = 'HOUSE') THEN
    RAISE EXCEPTION 'api_key_book: a key of kind % does not belong into book %',
      NEW.kind, NEW.merchant_id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER api_key_guard BEFORE INSERT OR UPDATE ON public.merchants_api_key
  FOR EACH ROW EXECUTE FUNCTION public.merchants_api_key_guard();

-- Switched off, never deleted: facts and the history speak of them.
CREATE TRIGGER refuse_delete BEFORE DELETE ON public.merchants_bank_account
  FOR EACH ROW EXECUTE FUNCTION public.foundation_refuse_change();
CREATE TRIGGER refuse_delete BEFORE DELETE ON public.merchants_membership
  FOR EACH ROW EXECUTE FUNCTION public.foundation_refuse_change();
CREATE TRIGGER refuse_delete BEFORE DELETE ON public.merchants_api_key
  FOR EACH ROW EXECUTE FUNCTION public.foundation_refuse_change();

-- The first rule: whoever withdraws gives the payment password, whatever the amount.
INSERT INTO public.merchants_verification_rule (operation, currency, from_amount_minor, factors)
VALUES ('withdrawal', '', 0, ARRAY['payment_password']);
