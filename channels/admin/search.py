"""Payments, refunds and registrations by exact number, for the page that finds by number."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import reverse
from django.utils.translation import gettext as _

from channels.models import Payment, Refund
from channels.selectors import registration as registrations
from foundation.models import User
from foundation.registries import SEARCH_MOST, SearchHit


def find(*, text: str, user: User) -> Iterable[SearchHit]:
    """
    Yield payments by payment or order number, refunds, and registrations by what channels call
    them; one short statement each.
    """
    if user.has_perm("channels.view_payment"):
        for column in ("payment_no", "order_no"):
            found = Payment.objects.filter(**{column: text}).select_related("merchant")
            for payment in found[:SEARCH_MOST]:
                address = reverse("admin:settlement_payment_trail", args=[payment.pk])
                yield SearchHit(_("payment"), f"{payment} · {payment.merchant}", address)
    if user.has_perm("channels.view_refund"):
        known = Refund.objects.filter(refund_no=text).select_related("merchant")
        for refund in known[:SEARCH_MOST]:
            address = reverse("admin:channels_refund_change", args=[refund.pk])
            yield SearchHit(_("refund"), f"{refund} · {refund.merchant}", address)
    if user.has_perm("channels.view_registration"):
        for one in registrations.by_number(text, SEARCH_MOST):
            address = reverse("admin:channels_registration_change", args=[one.pk])
            detail = f"{one} · {one.merchant} · {one.get_state_display()}"
            yield SearchHit(_("channel registration"), detail, address)
