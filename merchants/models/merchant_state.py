"""The moves of a merchant between its states, each decided by two persons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact
from merchants.models.merchant import Merchant

Status = Merchant.Status

# merchants/sql/merchant_state.sql says the same. What is left of FROZEN is the state before it.
TRANSITIONS: Final[Mapping[Merchant.Status, frozenset[Merchant.Status]]] = {
    Status.ACTIVE: frozenset({Status.RESTRICTED, Status.FROZEN, Status.CLOSING}),
    Status.RESTRICTED: frozenset({Status.ACTIVE, Status.FROZEN}),
    Status.FROZEN: frozenset({Status.ACTIVE, Status.RESTRICTED, Status.CLOSING}),
    # Back to ACTIVE only who was never CLOSED: then a merchant applies anew.
    Status.CLOSING: frozenset({Status.CLOSED, Status.FROZEN, Status.ACTIVE}),
    Status.CLOSED: frozenset({Status.CLOSING}),
}


class MerchantTransition(Fact):
    """
    One move of a merchant. Append-only; the merchant's status refers to its last one.

    `approval_book` and `approval_id` name the proposal that two persons made and decided: a list of
    merchants lies in the house's book. `reason` is what the merchant reads, `document` the paper
    that orders it.
    """

    sequence = models.PositiveIntegerField(_("sequence"))
    from_status = models.CharField(_("from"), max_length=10, choices=Status)
    to_status = models.CharField(_("to"), max_length=10, choices=Status)
    reason = models.CharField(_("reason"), max_length=500)
    document = models.CharField(_("document"), max_length=200)
    approval_book = models.BigIntegerField()
    approval_id = models.BigIntegerField()
    at = models.DateTimeField(_("at"))
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "merchants_merchant_transition"
        verbose_name = _("move of a merchant")
        verbose_name_plural = _("moves of merchants")
        constraints = [
            models.UniqueConstraint(fields=["merchant", "sequence"], name="merchant_step_sequence"),
            models.UniqueConstraint(
                fields=["merchant", "approval_book", "approval_id", "to_status"],
                name="merchant_step_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_status} -> {self.to_status}"
