-- Tie the lines of a day file to the attempts they are about, and to the cause that books them.
UPDATE settlement_bank_line l
   SET attempt_id = a.id, cause = %(cause)s || ':' || l.currency, state = 'RECORDED'
  FROM settlement_payout_attempt a
 WHERE l.statement_id = %(statement)s AND l.kind = %(kind)s AND l.cause = ''
   AND l.state IN ('RECORDED', 'UNMATCHED')
   AND a.merchant_id = l.merchant_id AND a.number = l.order_no AND a.channel_id = l.channel_id
   AND a.amount_minor = l.amount_minor AND a.currency = l.currency AND a.payee_hash = l.payee_hash
   AND a.status = ANY (%(states)s)
