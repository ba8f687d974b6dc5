"""What acts are called on the audit trail and on timelines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from django.utils.translation import pgettext_lazy

if TYPE_CHECKING:
    from django.utils.functional import Promise

ACTS: Final[Mapping[str, Promise]] = {
    "due.release": pgettext_lazy("act", "Money released by hand"),
    "payout_case.close": pgettext_lazy("act", "Case closed"),
    "payout_fee.set": pgettext_lazy("act", "Withdrawal fee set"),
    "payout_float.fund": pgettext_lazy("act", "Channel float funded"),
    "standing_instruction.activate": pgettext_lazy("act", "Standing instruction in force"),
    "standing_instruction.end": pgettext_lazy("act", "Standing instruction ended"),
}
