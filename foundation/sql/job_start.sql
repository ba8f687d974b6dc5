-- Start a job, or take over the running one whose lease has ended; no row when it is alive.
INSERT INTO public.foundation_job AS job (
  kind, key, state, total, done, params, message, cancel_requested,
  lease_seconds, lease_expires_at, fence, actor, request_id)
VALUES (%(kind)s, %(key)s, 'RUNNING', %(total)s, 0, %(params)s::jsonb, '', false,
  %(lease_seconds)s, clock_timestamp() + make_interval(secs => %(lease_seconds)s), 1,
  %(actor)s, %(request_id)s)
ON CONFLICT (kind, key) WHERE state = 'RUNNING' DO UPDATE
  SET fence = job.fence + 1, lease_seconds = excluded.lease_seconds,
    lease_expires_at = excluded.lease_expires_at,
    updated_at = clock_timestamp(), cancel_requested = false,
    total = greatest(job.total, excluded.total), params = excluded.params,
    actor = excluded.actor, request_id = excluded.request_id
  WHERE job.lease_expires_at <= clock_timestamp()
RETURNING job.id
