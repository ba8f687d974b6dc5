"""Letters to a merchant's owners about papers that end."""

from __future__ import annotations

from datetime import date

from foundation.services import mail
from merchants.models import PaperNotice
from merchants.selectors import membership as memberships
from merchants.selectors import paper as papers


def send(*, merchant_id: int, notice_id: int, on: date) -> None:
    """
    Tell every owner who has an e-mail address, in his language, what ends, when, and what follows;
    nothing where the paper was renewed since. Raises what the mail server's connection raises.
    Rule: PAP-4 (docs/rules/papers.md).
    """
    notice = (
        PaperNotice.objects.filter(merchant_id=merchant_id, id=notice_id)
        .select_related("merchant", "paper")
        .first()
    )
    if notice is None or notice.paper.superseded_by is not None:
        return
    found = papers.standings(merchant_id=merchant_id, on=on, told=True)
    standing = next((one for one in found if one.paper.id == notice.paper_id), None)
    if standing is None:
        return
    for owner in memberships.owners_to_write_to(merchant_id=merchant_id):
        mail.send(
            to=owner.user.email,
            language=owner.user.language,
            template="paper",
            context={"standing": standing, "merchant": notice.merchant},
        )
