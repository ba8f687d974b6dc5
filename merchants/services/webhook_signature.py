"""What is sent of a webhook delivery: its body, the same at every try, and its signed headers."""

from __future__ import annotations

import base64
import json
import secrets
from datetime import UTC, datetime
from typing import Final

from standardwebhooks import Webhook

from merchants.models import WebhookDelivery, WebhookEndpoint

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32


def new_secret() -> str:
    """Return a secret of 256 random bits, as the libraries of receivers read it."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def body(delivery: WebhookDelivery) -> str:
    """
    Return the JSON of a numbered delivery: made of what never changes, so the same for ever.

    Amounts are minor units as text. Rule: WHK-7 (docs/rules/webhooks.md).
    """
    about: dict[str, str] = {
        "merchant_no": delivery.merchant.merchant_no,
        "number": delivery.object_number,
        "state": delivery.object_state,
    }
    if delivery.amount_minor is not None:
        about |= {"amount_minor": str(delivery.amount_minor), "currency": delivery.currency}
    content = {
        "id": delivery.public_id,
        "type": delivery.event,
        "timestamp": delivery.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "sequence": delivery.sequence,
        "data": about,
    }
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def headers(
    *, endpoint: WebhookEndpoint, delivery: WebhookDelivery, text: str, at: datetime
) -> dict[str, str]:
    """
    Return the headers of one try at an instant in UTC, signed with every secret that is good then.

    `webhook-key-id` names the numbers of the secrets, in the order of the signatures. Rule: WHK-6.
    """
    numbered = [(endpoint.secret_no, endpoint.secret)]
    if endpoint.previous_secret and endpoint.previous_until and at < endpoint.previous_until:
        numbered.append((endpoint.secret_no - 1, endpoint.previous_secret))
    signed = [Webhook(secret).sign(delivery.public_id, at, text) for _no, secret in numbered]
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Countinghouse-Webhooks/1",
        "Accept": "*/*",
        "webhook-id": delivery.public_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signed),
        "webhook-key-id": " ".join(str(number) for number, _secret in numbered),
    }
