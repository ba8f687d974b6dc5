-- Each merchant's entry of one cause: what was in transit is complete and passes to the house.
INSERT INTO ledger_intake_posting
  (call_id, merchant_id, source_kind, source_id, account_id, operation, side, amount_minor)
SELECT %(call_id)s, t.merchant_id, %(source_kind)s, %(source_id)s, a.id, p.operation, p.side,
       t.total
  FROM (SELECT merchant_id, sum(amount_minor) AS total FROM settlement_bank_line
         WHERE merchant_id = ANY (%(merchants)s) AND cause = %(cause)s AND kind = %(kind)s
           AND currency = %(currency)s AND state = 'RECORDED'
         GROUP BY merchant_id) t
 CROSS JOIN (VALUES ('payout_in_transit', 'channel', %(channel)s, 'complete', %(completes)s),
                    ('between_books', '', '', 'pass', %(passes)s))
            AS p (kind, ref_kind, ref_id, operation, side)
  JOIN ledger_account a ON a.merchant_id = t.merchant_id AND a.kind = p.kind
   AND a.currency = %(currency)s AND a.ref_kind = p.ref_kind AND a.ref_id = p.ref_id
