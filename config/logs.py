"""Logs: one event a line, for people or as JSON, without what must stay secret."""

from __future__ import annotations

import re
from typing import Any

import structlog
from django.http import HttpRequest
from stdnum import luhn
from stdnum.iso7064 import mod_11_2
from structlog.typing import Processor

# Values under these names never reach a log, however deep they lie.
SECRET = re.compile(
    r"password|passwd|secret|token|pepper|authorization|cookie|session|api_?key|private_?key"
    r"|\bpin\b|otp|totp|recovery|card_number|account_number|identity_number|signature",
    re.IGNORECASE,
)
HIDDEN = "[hidden]"
# What opens something by itself: an API key, and the last part of a link that came by e-mail.
_OPENS = re.compile(r"(?<=/)[\w.:-]{40,}|\bck\d+_\w+\.[\w-]{16,}")
# What may be the number of a card or of an identity paper; its check digit tells.
_NUMBER = re.compile(r"(?<![0-9A-Za-z])\d(?:[ -]?\d){11,17}[ -]?[\dXx](?![0-9A-Za-z])")


def hide_secrets(_logger: Any, _method: str, event: Any) -> Any:
    """
    Replace secret values of one event, and numbers of cards and identity papers wherever somebody
    typed them: in an address, in the words of an exception. A processor of structlog.
    """
    return _hidden(event)


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: HIDDEN if isinstance(name, str) and SECRET.search(name) else _hidden(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_hidden(inner) for inner in value]
    if isinstance(value, HttpRequest):  # what was asked for in a query may be anything
        return _hidden(f"{value.method} {value.path}")
    if isinstance(value, str):
        return _NUMBER.sub(_number, _OPENS.sub(HIDDEN, value))
    return value


def _number(found: re.Match[str]) -> str:
    digits = re.sub("[ -]", "", found[0]).upper()
    is_identity = len(digits) == 18 and mod_11_2.is_valid(digits)
    is_card = digits.isdecimal() and 13 <= len(digits) <= 19 and luhn.is_valid(digits)
    return HIDDEN if is_identity or is_card else found[0]


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
        last = [structlog.processors.JSONRenderer(ensure_ascii=False)]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": before,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
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
