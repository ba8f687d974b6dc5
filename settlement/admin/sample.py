"""Payouts, as an auditor's sample shows them."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from foundation.admin.columns import grouped
from foundation.registries import SampleSource
from settlement.models import PayoutAttempt


def _of_payout(row: PayoutAttempt) -> dict[str, str]:
    return {
        _("number"): row.number,
        _("merchant"): row.merchant.merchant_no,
        _("amount"): grouped(row.amount),
        _("status"): str(row.get_status_display()),
        _("created at"): row.created_at.isoformat(),
    }


PAYOUTS = SampleSource(
    title=gettext_lazy("Payout attempts"),
    rows=lambda: PayoutAttempt.objects.select_related("merchant"),
    columns=_of_payout,
    url_name="settlement_payoutattempt_change",
    permission="settlement.view_payoutattempt",
)
