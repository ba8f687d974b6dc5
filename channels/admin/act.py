"""What acts are called on the audit trail and on timelines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from django.utils.translation import pgettext_lazy

if TYPE_CHECKING:
    from django.utils.functional import Promise

ACTS: Final[Mapping[str, Promise]] = {
    "channel.terms": pgettext_lazy("act", "Terms of a channel changed"),
    "fees.import": pgettext_lazy("act", "Fees imported from a file"),
}
