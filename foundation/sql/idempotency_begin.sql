-- The insert decides the race: a second one waits for the first to commit and then inserts nothing.
INSERT INTO public.foundation_idempotency (
  merchant_id, method, path, key, fingerprint, state, recovery_point,
  recovery_data, lease_expires_at, fence, answer_type, created_at, actor, request_id)
VALUES (%(merchant_id)s, %(method)s, %(path)s, %(key)s, %(fingerprint)s, 'IN_FLIGHT', 'STARTED',
  '{}', %(until)s, 1, '', %(at)s, %(actor)s, %(request_id)s)
ON CONFLICT (merchant_id, method, path, key) DO NOTHING
RETURNING id, fence
