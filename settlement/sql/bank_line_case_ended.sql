-- A line that is booked now ends the case that said it had no payout.
UPDATE settlement_payout_case c
   SET closed_at = %(at)s, closed_by = %(by)s, outcome = l.state
  FROM settlement_bank_line l
 WHERE l.statement_id = %(statement)s AND l.state = 'BOOKED'
   AND c.merchant_id = l.merchant_id AND c.kind = 'STATEMENT' AND c.closed_at IS NULL
   AND c.subject = l.kind || ' ' || l.order_no
