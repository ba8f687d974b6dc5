"""What the beat orders, and how often."""

from __future__ import annotations

from typing import Any

from celery.schedules import crontab

# Beat only asks what is due: two beats, or none for an hour, do no harm. An order that waited too
# long is dropped.
CELERY_BEAT_SCHEDULE: dict[str, Any] = {
    "send and ask about payouts": {
        "task": "settlement.watch_payouts",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
    "alarm about unknown payouts": {
        "task": "settlement.alarm_payouts",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "relay the outbox": {
        "task": "foundation.relay_outbox",
        "schedule": 3.0,
        "options": {"expires": 30},
    },
    "expire approvals": {
        "task": "foundation.expire_approvals",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "forget uploads and delete exports": {
        "task": "foundation.expire_files",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "settle what is due": {  # T1 after the cut-off, T0 in a cycle each hour
        "task": "settlement.settle_due",
        "schedule": crontab(minute="5"),
        "options": {"expires": 1800},
    },
    "watch papers that end": {  # again at noon: what a dead server left is taken up the same day
        "task": "merchants.watch_papers",
        "schedule": crontab(hour="6,12", minute="20"),
        "options": {"expires": 3600},
    },
    "tell merchants' programs": {
        "task": "merchants.send_webhooks",
        "schedule": 3.0,
        "options": {"expires": 10},
    },
    "forget old webhooks": {
        "task": "merchants.purge_webhooks",
        "schedule": 24 * 3600.0,
        "options": {"expires": 3600},
    },
    "forget old idempotency keys": {
        "task": "foundation.purge_idempotency_keys",
        "schedule": 24 * 3600.0,
        "options": {"expires": 3600},
    },
    "forget old guesses": {
        "task": "foundation.purge_guess_counts",
        "schedule": 24 * 3600.0,
        "options": {"expires": 3600},
    },
    "forget sessions that are over": {
        "task": "foundation.purge_sessions",
        "schedule": 24 * 3600.0,
        "options": {"expires": 3600},
    },
    "forget what the outbox did long ago": {
        "task": "foundation.purge_outbox",
        "schedule": 24 * 3600.0,
        "options": {"expires": 3600},
    },
}
