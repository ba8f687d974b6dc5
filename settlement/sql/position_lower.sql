-- Lower the bounds of merchants to their least due date that is on no line.
UPDATE settlement_position p SET open_from = least(p.open_from, o.due_date)
  FROM (SELECT d.merchant_id, d.currency, min(d.due_date) AS due_date
          FROM settlement_due d
         WHERE d.merchant_id = ANY (%(merchants)s) AND d.due_date IS NOT NULL
           AND NOT EXISTS (SELECT FROM settlement_line l
                            WHERE l.merchant_id = d.merchant_id AND l.source_kind = d.source_kind
                              AND l.source_id = d.source_id)
         GROUP BY d.merchant_id, d.currency) o
 WHERE p.merchant_id = o.merchant_id AND p.currency = o.currency
   AND o.due_date < coalesce(p.open_from, 'infinity')
