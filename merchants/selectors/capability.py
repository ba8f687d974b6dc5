"""What a merchant may do now, and what was taken from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from config.errors import Forbidden
from foundation import sql
from merchants.models import Capability, CapabilityStep

_LAST = """
SELECT DISTINCT ON (capability) capability, allowed, sequence, reason, at, approval_id
  FROM merchants_capability_step WHERE merchant_id = %s
 ORDER BY capability, sequence DESC
"""


class CapabilityTaken(Forbidden):
    """The merchant may not do this at present."""

    code = "capability_taken"


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a merchant may do something; if it changed: since when, why, by which proposal."""

    capability: Capability
    allowed: bool
    sequence: int = 0
    reason: str = ""
    since: datetime | None = None
    approval_id: int | None = None

    @property
    def label(self) -> str:
        """How people call it."""
        return str(self.capability.label)


def standing(*, merchant_id: int) -> list[Standing]:
    """Return every capability of a merchant as it stands, in one statement."""
    last = {row["capability"]: row for row in sql.rows(_LAST, [merchant_id])}
    found = []
    for one in Capability:
        row = last.get(one.value)
        found.append(
            Standing(one, allowed=True)
            if row is None
            else Standing(
                one, row["allowed"], row["sequence"], row["reason"], row["at"], row["approval_id"]
            )
        )
    return found


def taken(*, merchant_id: int) -> list[Standing]:
    """Return what a merchant may not do at present."""
    return [one for one in standing(merchant_id=merchant_id) if not one.allowed]


def history(*, merchant_id: int) -> Sequence[CapabilityStep]:
    """Return the last steps of a merchant, the newest first."""
    return list(CapabilityStep.objects.filter(merchant_id=merchant_id).order_by("-at", "-id")[:20])


def merchants_without(*, capability: Capability) -> QuerySet[CapabilityStep, Any]:
    """Return the ids of the merchants from which something was taken, as a sub-query."""
    later = CapabilityStep.objects.filter(
        merchant_id=OuterRef("merchant_id"),
        capability=capability,
        sequence__gt=OuterRef("sequence"),
    )
    return CapabilityStep.objects.filter(
        ~Exists(later), capability=capability, allowed=False
    ).values("merchant_id")


def require(capability: Capability, *, merchant_id: int) -> None:
    """Raise CapabilityTaken where it was taken from the merchant. Rule: CAP-2."""
    last = (
        CapabilityStep.objects.filter(merchant_id=merchant_id, capability=capability)
        .order_by("-sequence")
        .first()
    )
    if last is not None and not last.allowed:
        raise CapabilityTaken(
            _("This merchant may not do this at present: %(what)s. %(reason)s")
            % {"what": capability.label, "reason": last.reason},
            capability=capability.value,
        )
