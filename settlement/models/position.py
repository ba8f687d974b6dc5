"""How far a merchant's settling has come, so that a run looks at what is new and nothing else."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact


class Position(Fact):
    """
    Bounds over the dues of one merchant and currency (SET-3), written only under the lock of its
    `merchant_pending` account.

    No due on no line lies before `open_from` (empty: none lies open). No dated due after
    `claimed_to` is on a line. `has_at_once` says that something waits for the very next batch.
    """

    currency = models.CharField(_("currency"), max_length=3)
    open_from = models.DateField(_("open from"), null=True)
    claimed_to = models.DateField(_("settled to"), null=True)
    has_at_once = models.BooleanField(_("something is due at once"), default=False)

    class Meta:
        db_table = "settlement_position"
        verbose_name = _("settlement position")
        verbose_name_plural = _("settlement positions")
        constraints = [
            models.UniqueConstraint(fields=["merchant", "currency"], name="position_one"),
        ]

    def __str__(self) -> str:
        return f"{self.currency} · {self.open_from}"
