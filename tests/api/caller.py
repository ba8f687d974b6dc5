"""A program that calls the API, what it may ask for, and every route there is."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from merchants.models import ApiKey, BankAccount, Merchant
from merchants.models.api_key import KIND_SCOPES
from merchants.services import api_key as api_keys
from tests.factories.payout import NOON

PAYMENT = {
    "payment_no": "P-1",
    "order_no": "O-1",
    "product": "qr",
    "channel": "wx",
    "amount_minor": 100_00,
    "currency": "CNY",
    "captured_at": "2026-03-02T10:00:00+08:00",
}


class Caller:
    """A program with a key."""

    def __init__(
        self, merchant: Merchant | None, *scopes: str, kind: str = "", name: str = ""
    ) -> None:
        kind = kind or ("MERCHANT" if merchant else "INSTITUTION")
        chosen = scopes or [str(scope) for scope in KIND_SCOPES[kind]]
        made = api_keys.create(
            merchant=merchant, name=name or f"door {kind}", scopes=chosen, at=NOON, kind=kind
        )
        self.key: ApiKey = made.key
        self.client = Client(raise_request_exception=False)
        self.token = made.token
        self.head = {"Authorization": f"Bearer {made.token}"}

    def get(self, path: str, **params: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", params, headers=self.head)

    def post(self, path: str, body: Any, key: str | None = "k-1", **head: str) -> Any:
        headers = self.head | ({"Idempotency-Key": key} if key else {}) | head
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(
            f"/api/v1/{path}", raw, content_type="application/json", headers=headers
        )


def wish(account: BankAccount, **changes: Any) -> dict[str, Any]:
    return {
        "order_no": "A-1",
        "amount_minor": 10_00,
        "currency": "CNY",
        "payee": str(account.uuid),
    } | changes


def routes() -> list[tuple[str, type]]:
    """Every address of version 1 with its view."""
    found: list[tuple[str, type]] = []

    def walk(patterns: list[Any], prefix: str) -> None:
        for each in patterns:
            if isinstance(each, URLResolver):
                walk(each.url_patterns, prefix + str(each.pattern))
            elif isinstance(each, URLPattern) and prefix == "api/v1/":
                found.append((str(each.pattern), each.callback.cls))

    walk(get_resolver().url_patterns, "")
    return found
