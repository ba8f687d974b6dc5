-- The calendar for SQL: running numbers, T+n, and the business date of an instant.

-- Joining ordinals adds business days in bulk: T+n of a day is the business day whose ordinal is
-- that day's plus n.
CREATE OR REPLACE VIEW public.foundation_business_day_number AS
SELECT date, is_business_day, sum(is_business_day::integer) OVER (ORDER BY date)::integer AS ordinal
FROM public.foundation_business_day;

-- The n-th business day after a day (before it, for a negative n); for 0 the day itself or the next
-- business day. NULL when the calendar does not reach that far: the years are without a gap, so
-- nothing in between is missing.
CREATE OR REPLACE FUNCTION public.foundation_add_business_days(p_from date, p_days integer)
RETURNS date LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN NOT EXISTS (SELECT FROM public.foundation_business_day WHERE date = p_from) THEN NULL
    WHEN p_days < 0 THEN (
      SELECT date FROM public.foundation_business_day WHERE is_business_day AND date < p_from
      ORDER BY date DESC OFFSET -p_days - 1 LIMIT 1)
    WHEN p_days = 0 THEN (
      SELECT date FROM public.foundation_business_day WHERE is_business_day AND date >= p_from
      ORDER BY date LIMIT 1)
    ELSE (
      SELECT date FROM public.foundation_business_day WHERE is_business_day AND date > p_from
      ORDER BY date OFFSET p_days - 1 LIMIT 1)
  END
$$;

-- The twin of foundation.clock.business_date: [cut-off of D, cut-off of D+1) by the zone's wall
-- clock.
CREATE OR REPLACE FUNCTION public.foundation_business_date(
  p_instant timestamptz, p_zone text, p_cut_off time
) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (timezone(p_zone, p_instant) - (p_cut_off - time '00:00'))::date
$$;

-- Only whole years, without a gap between them.
CREATE OR REPLACE FUNCTION public.foundation_calendar_is_whole() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  first_day date; last_day date; days bigint;
BEGIN
  SELECT min(date), max(date), count(*) INTO first_day, last_day, days
    FROM public.foundation_business_day;
  IF days > 0 AND (days <> last_day - first_day + 1
      OR extract(doy FROM first_day) <> 1 OR extract(doy FROM last_day + 1) <> 1) THEN
    RAISE EXCEPTION 'calendar_not_whole: the calendar must consist of whole years without a gap'
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER calendar_is_whole
AFTER INSERT OR UPDATE OR DELETE ON public.foundation_business_day
FOR EACH STATEMENT EXECUTE FUNCTION public.foundation_calendar_is_whole();
