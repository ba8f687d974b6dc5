UPDATE settlement_bank_line
   SET state = 'BOOKED', booked_at = %(at)s
 WHERE merchant_id = ANY (%(merchants)s) AND cause = %(cause)s AND kind = %(kind)s
   AND currency = %(currency)s AND state = 'RECORDED'
