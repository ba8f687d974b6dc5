-- Where each net goes, with the debt read under the lock: first what the merchant owes, then our
-- surcharge, the rest to available. A negative net becomes debt whole.
UPDATE settlement_item i
   SET to_debt_minor = s.to_debt,
       surcharge_minor = s.surcharge,
       to_available_minor = greatest(0, i.net_minor) - greatest(0, s.to_debt) - s.surcharge
  FROM (SELECT j.merchant_id, j.id,
               CASE WHEN j.net_minor < 0 THEN j.net_minor
                    ELSE least(j.net_minor, coalesce(d.balance, 0)) END AS to_debt,
               CASE WHEN j.net_minor < 0 THEN 0
                    ELSE least(j.surcharge_minor,
                               j.net_minor - least(j.net_minor, coalesce(d.balance, 0)))
               END AS surcharge
          FROM settlement_item j
          LEFT JOIN ledger_account d ON d.merchant_id = j.merchant_id AND d.kind = 'merchant_debt'
                                    AND d.currency = j.currency AND d.ref_kind = ''
                                    AND d.ref_id = ''
         WHERE j.id = ANY (%(items)s) AND j.state IN ('FROZEN', 'HELD_BACK')) s
 WHERE i.merchant_id = s.merchant_id AND i.id = s.id
