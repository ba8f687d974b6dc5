-- Date what waited for the calendar, where it reaches far enough now (DUE-5).
UPDATE settlement_due d SET due_date = a.due_date
  FROM (SELECT w.code, w.business_date, settlement_due_date(w.code, w.business_date) AS due_date
          FROM (SELECT DISTINCT schedule_code AS code, business_date FROM settlement_due
                 WHERE merchant_id = ANY (%(merchants)s) AND due_date IS NULL
                   AND explanation = 'calendar_year_not_loaded') w) a
 WHERE d.merchant_id = ANY (%(merchants)s) AND d.due_date IS NULL
   AND d.explanation = 'calendar_year_not_loaded'
   AND d.schedule_code = a.code AND d.business_date = a.business_date AND a.due_date IS NOT NULL
