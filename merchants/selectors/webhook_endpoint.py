"""Reading a merchant's endpoints and what was told to them."""

from __future__ import annotations

from django.db.models import QuerySet

from merchants.models import WebhookDelivery, WebhookEndpoint


def of_merchant(*, merchant_id: int) -> QuerySet[WebhookEndpoint]:
    """Return the endpoints a merchant has, without the removed ones, in their places."""
    rows = WebhookEndpoint.objects.filter(merchant_id=merchant_id)
    return rows.exclude(state=WebhookEndpoint.State.REMOVED).order_by("place")


def deliveries(*, endpoint: WebhookEndpoint) -> QuerySet[WebhookDelivery]:
    """Return what was told to an endpoint, latest first."""
    rows = WebhookDelivery.objects.filter(merchant_id=endpoint.merchant_id, endpoint=endpoint)
    return rows.order_by("-id")
