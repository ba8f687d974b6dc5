"""
A payout channel of our own, run as its own process (docs/rules/payouts.md, PO-12).

It speaks HTTP, signs what it says, misbehaves on request and keeps its own book of what it really
paid: the independent judge of double payment. Nothing here reads or writes our database.
"""
