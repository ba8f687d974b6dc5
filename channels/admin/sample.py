"""Payments, as an auditor's sample shows them."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels.models import Payment
from foundation.admin.columns import grouped
from foundation.money import Money
from foundation.registries import SampleSource


def _of_payment(row: Payment) -> dict[str, str]:
    return {
        _("payment number"): row.payment_no,
        _("merchant"): row.merchant.merchant_no,
        _("amount"): grouped(Money(row.amount_minor, row.currency)),
        _("business date"): row.business_date.isoformat(),
    }


PAYMENTS = SampleSource(
    title=gettext_lazy("Payments"),
    rows=lambda: Payment.objects.select_related("merchant"),
    columns=_of_payment,
    url_name="channels_payment_change",
    permission="channels.view_payment",
)
