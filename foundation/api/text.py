"""The shapes of texts that the API takes, once for the check and for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PATTERNS: Final[Mapping[str, str]] = {
    "order_no": r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}",
    "currency": "[A-Z]{3}",
    "day": "2[01][0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])",
    "uuid": "[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}",
}
