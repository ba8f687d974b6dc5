"""Reads of payouts that commands and screens share."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from settlement.models import PayoutAttempt, PayoutCase


def unknown() -> QuerySet[PayoutAttempt]:
    """Return every attempt whose result nobody knows, the longest unknown first."""
    return (
        PayoutAttempt.objects.filter(status=PayoutAttempt.Status.UNKNOWN)
        .select_related("merchant", "channel")
        .order_by("unknown_since", "id")
    )


def open_cases() -> QuerySet[PayoutCase]:
    """Return every open case, oldest first."""
    return (
        PayoutCase.objects.filter(closed_at=None)
        .select_related("merchant", "attempt")
        .order_by("opened_at", "id")
    )


def attempt_row(attempt: PayoutAttempt) -> dict[str, Any]:
    """Return what a list shows of an attempt."""
    return {
        "merchant_no": attempt.merchant.merchant_no,
        "number": attempt.number,
        "channel": attempt.channel.code,
        "amount_minor": attempt.amount_minor,
        "currency": attempt.currency,
        "status": attempt.status,
        "unknown_since": attempt.unknown_since,
        "failure_seen_at": attempt.failure_seen_at,
        "queries": attempt.queries,
        "next_query_at": attempt.next_query_at,
    }


def case_row(case: PayoutCase) -> dict[str, Any]:
    """Return what a list shows of a case."""
    return {
        "id": case.id,
        "merchant_no": case.merchant.merchant_no,
        "kind": case.kind,
        "subject": case.subject,
        "amount_minor": case.amount_minor,
        "currency": case.currency,
        "detail": case.detail,
        "opened_at": case.opened_at,
    }
