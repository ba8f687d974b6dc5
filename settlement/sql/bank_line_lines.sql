-- Below the posting in transit, one line per payout.
INSERT INTO ledger_intake_line
  (call_id, merchant_id, source_kind, source_id, account_id, operation, ord, fact_kind, fact_id,
   amount_minor)
SELECT %(call_id)s, l.merchant_id, %(source_kind)s, %(source_id)s, a.id, 'complete', l.id,
       %(fact_kind)s, l.attempt_id, l.amount_minor * %(sign)s
  FROM settlement_bank_line l
  JOIN ledger_account a ON a.merchant_id = l.merchant_id AND a.kind = 'payout_in_transit'
   AND a.currency = l.currency AND a.ref_kind = 'channel' AND a.ref_id = %(channel)s
 WHERE l.merchant_id = ANY (%(merchants)s) AND l.cause = %(cause)s AND l.kind = %(kind)s
   AND l.currency = %(currency)s AND l.state = 'RECORDED'
