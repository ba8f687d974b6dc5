-- From here on the items' facts count as settled. An item whose hold is missing is refused.
UPDATE settlement_item i
   SET state = 'FROZEN',
       hold_id = (SELECT h.id FROM ledger_hold h
                   WHERE h.merchant_id = i.merchant_id AND h.source_kind = 'settlement'
                     AND h.source_id = i.run_date || ':' || i.cycle || ':' || i.currency)
 WHERE i.batch_id = ANY (%(batches)s) AND i.state = 'COLLECTED'
