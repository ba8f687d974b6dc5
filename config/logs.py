"""Logs: one event a line, for people or as JSON, without what must stay secret."""

from __future__ import annotations

import re
from typing import Any

import structlog
from structlog.typing import Processor

# Values under these names never reach a log, however deep they lie.
SECRET = re.compile(
    r"password|passwd|secret|token|pepper|authorization|cookie|session|api_?key|private_?key"
    r"|\bpin\b|otp|totp|recovery|card_number|account_number|identity_number|signature",
    re.IGNORECASE,
)
HIDDEN = "[hidden]"


def hide_secrets(_logger: Any, _method: str, event: Any) -> Any:
    """Replace secret values of one event; a processor of structlog."""
    return _hidden(event)


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: HIDDEN if isinstance(name, str) and SECRET.search(name) else _hidden(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_hidden(inner) for inner in value]
    return value


def settings(*, as_json: bool, level: str) -> dict[str, Any]:
    """Return Django's LOGGING from this level on, and make structlog write the same way."""
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,  # actor and request id
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    plain = structlog.dev.plain_traceback  # the other one, where installed, prints local variables
    last: list[Processor] = [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]
    if as_json:
        json = structlog.processors.JSONRenderer(ensure_ascii=False)
        last = [structlog.processors.format_exc_info, json]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": before,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    hide_secrets,
                    *last,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "axes.apps": {"level": "WARNING"},  # it announces itself at each start
            "httpx": {"level": "WARNING"},  # it writes whole addresses
        },
    }
