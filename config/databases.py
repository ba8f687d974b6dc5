"""Database settings from PostgreSQL connection URLs."""

from __future__ import annotations

from typing import Any

from psycopg.conninfo import conninfo_to_dict

# As PostgreSQL reads them. Money steps are short; whoever waits longer is told so.
SESSION = {
    "lock_timeout": "10s",
    "statement_timeout": "10min",
    "idle_in_transaction_session_timeout": "5min",
}


def from_url(url: str, *, session: dict[str, str] | None = None) -> dict[str, Any]:
    """
    Return Django's settings for a database URL, `postgresql://user@/name?host=/socket/folder` too.

    Raises psycopg.ProgrammingError when the URL cannot be read.
    """
    parts: dict[str, Any] = dict(conninfo_to_dict(url))
    options = " ".join(f"-c {name}={value}" for name, value in (SESSION | (session or {})).items())
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", ""),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": str(parts.pop("port", "")),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # Calls of `foundation.sql.call` are prepared; Django's own statements never are.
        "OPTIONS": {"prepare_threshold": 0, **parts, "options": options},
    }
