"""The transfer that sends a withdrawal's money: attempts, their states, and all evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact, FactForeignKey
from foundation.money import Money
from settlement.models.payout_channel import PayoutChannel
from settlement.models.withdrawal import Withdrawal


class PayoutAttempt(Fact):
    """
    One order to one channel; `number` is what the channel knows it by, and never changes (PO-3).

    At most one attempt of a withdrawal is live and at most one ever paid (I7): unique indexes.
    `paid_at` is set once money left and stays. `resend_at` is set only when it is proved that
    nothing left us. `failure_seen_at`: an allow-listed failure that cools. `disputed_from` is the
    status it had before it was disputed. Whoever sends or asks holds a lease with a fencing number.
    """

    class Status(models.TextChoices):
        READY = "READY", _("ready")
        SENDING = "SENDING", _("being sent")
        PROCESSING = "PROCESSING", _("accepted by the channel")
        UNKNOWN = "UNKNOWN", _("result unknown")
        SUCCEEDED = "SUCCEEDED", _("paid")
        FAILED = "FAILED", _("failed")
        RETURNED = "RETURNED", _("returned by the bank")
        DISPUTED = "DISPUTED", _("disputed")

    withdrawal = FactForeignKey(Withdrawal, models.PROTECT, related_name="attempts")
    number = models.CharField(_("number"), max_length=44)
    attempt_no = models.PositiveSmallIntegerField(_("attempt"))
    channel = models.ForeignKey(
        PayoutChannel, models.PROTECT, related_name="+", verbose_name=_("channel")
    )
    amount_minor = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    payee_hash = models.CharField(_("hash of the payee"), max_length=64)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.READY)
    sequence = models.PositiveIntegerField(_("sequence"), default=1)
    created_at = models.DateTimeField(_("created at"))
    sent_at = models.DateTimeField(_("sent at"), null=True)
    resend_at = models.DateTimeField(_("send again at"), null=True)
    unknown_since = models.DateTimeField(_("unknown since"), null=True)
    failure_seen_at = models.DateTimeField(_("failure seen at"), null=True)
    failure_code = models.CharField(_("failure"), max_length=64, blank=True)
    next_query_at = models.DateTimeField(_("next query at"), null=True)
    queries = models.PositiveIntegerField(_("queries"), default=0)
    paid_at = models.DateTimeField(_("paid at"), null=True)
    disputed_from = models.CharField(_("disputed from"), max_length=10, blank=True)
    channel_no = models.CharField(_("channel's number"), max_length=64, blank=True)
    lease_owner = models.CharField(_("lease of"), max_length=100, blank=True)
    lease_expires_at = models.DateTimeField(_("lease expires at"), null=True)
    fence = models.BigIntegerField(_("fencing number"), default=0)

    class Meta:
        db_table = "settlement_payout_attempt"
        verbose_name = _("payout attempt")
        verbose_name_plural = _("payout attempts")
        permissions = [("resolve_payout", _("Can decide what became of a payout"))]
        constraints = [
            models.UniqueConstraint(fields=["merchant", "number"], name="attempt_number"),
            models.UniqueConstraint(
                fields=["merchant", "withdrawal", "attempt_no"], name="attempt_counted"
            ),
            models.UniqueConstraint(
                fields=["merchant", "withdrawal"],
                condition=Q(status__in=["READY", "SENDING", "PROCESSING", "UNKNOWN"]),
                name="attempt_one_live",
            ),
            models.UniqueConstraint(
                fields=["merchant", "withdrawal"],
                condition=Q(paid_at__isnull=False),
                name="attempt_one_ever_paid",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0) & ~Q(payee_hash="") & ~Q(number=""),
                name="attempt_content",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["SUCCEEDED", "RETURNED", "DISPUTED"])
                | Q(paid_at__isnull=False),
                name="attempt_paid_when",
            ),
            models.CheckConstraint(  # nobody forgets to ask
                condition=~Q(status__in=["UNKNOWN", "PROCESSING"]) | Q(next_query_at__isnull=False),
                name="attempt_is_asked_about",
            ),
            models.CheckConstraint(
                condition=Q(resend_at=None) | Q(status="SENDING"), name="attempt_resend_sending"
            ),
            models.CheckConstraint(
                condition=~Q(status="DISPUTED") | Q(disputed_from__in=["SUCCEEDED", "FAILED"]),
                name="attempt_disputed_from",
            ),
            models.CheckConstraint(
                condition=Q(status="READY", sent_at=None)
                | (~Q(status="READY") & Q(sent_at__isnull=False)),
                name="attempt_sent_when",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_query_at"],
                condition=Q(status__in=["UNKNOWN", "PROCESSING"]),
                name="attempt_to_ask",
            ),
            models.Index(
                fields=["created_at"],
                condition=Q(status__in=["READY", "SENDING"]),
                name="attempt_to_send",
            ),
            models.Index(fields=["-created_at", "-id"], name="attempt_newest"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def amount(self) -> Money:
        """What the payee is to get."""
        return Money(self.amount_minor, self.currency)

    @property
    def key(self) -> dict[str, Any]:
        """The keyword arguments by which services find it."""
        return {"merchant_id": self.merchant_id, "attempt_id": self.id}


Status = PayoutAttempt.Status
LIVE: Final = frozenset({Status.READY, Status.SENDING, Status.PROCESSING, Status.UNKNOWN})

# The whole table of docs/rules/payouts.md; settlement/sql/payout.sql says the same.
TRANSITIONS: Final[Mapping[PayoutAttempt.Status, frozenset[PayoutAttempt.Status]]] = {
    Status.READY: frozenset({Status.SENDING}),
    Status.SENDING: frozenset({Status.PROCESSING, Status.UNKNOWN, Status.SUCCEEDED}),
    Status.PROCESSING: frozenset({Status.UNKNOWN, Status.SUCCEEDED}),
    Status.UNKNOWN: frozenset({Status.SUCCEEDED, Status.FAILED}),
    Status.SUCCEEDED: frozenset({Status.RETURNED, Status.DISPUTED}),
    Status.FAILED: frozenset({Status.DISPUTED}),
    Status.DISPUTED: frozenset({Status.SUCCEEDED, Status.FAILED, Status.RETURNED}),
    Status.RETURNED: frozenset(),
}


class PayoutTransition(Fact):
    """One step in an attempt's life. Append-only; the attempt's status refers to the last."""

    attempt = FactForeignKey(PayoutAttempt, models.PROTECT, related_name="transitions")
    sequence = models.PositiveIntegerField(_("sequence"))
    from_status = models.CharField(_("from"), max_length=10, choices=Status, blank=True)
    to_status = models.CharField(_("to"), max_length=10, choices=Status)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    at = models.DateTimeField(_("at"))
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "settlement_payout_transition"
        verbose_name = _("step of an attempt")
        verbose_name_plural = _("steps of attempts")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "attempt", "sequence"], name="attempt_step_sequence"
            ),
            models.UniqueConstraint(
                fields=["merchant", "attempt", "sequence", "to_status"], name="attempt_step_status"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_status} -> {self.to_status}"


class PayoutEvidence(Fact):
    """
    One piece of news about an attempt as it came, and what the funnel made of it. Append-only.

    `verdict` is the step of the funnel (settlement/services/payout_result.py), `sequence` that of
    the attempt after it: an ending without its evidence cannot be committed. `raw`: the bytes.
    """

    class Source(models.TextChoices):
        ANSWER = "ANSWER", _("answer")
        QUERY = "QUERY", _("query")
        CALLBACK = "CALLBACK", _("callback")
        DAY_FILE = "DAY_FILE", _("day file")
        DECISION = "DECISION", _("decision of two persons")
        RECOVERY = "RECOVERY", _("recovery after a crash")

    attempt = FactForeignKey(PayoutAttempt, models.PROTECT, related_name="evidence")
    source = models.CharField(_("source"), max_length=8, choices=Source)
    kind = models.CharField(_("meaning"), max_length=15)
    code = models.CharField(_("code"), max_length=64, blank=True)
    amount_minor = models.BigIntegerField(_("amount"), null=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    payee_hash = models.CharField(_("hash of the payee"), max_length=64, blank=True)
    order_no = models.CharField(_("order number"), max_length=64, blank=True)
    channel_no = models.CharField(_("channel's number"), max_length=64, blank=True)
    event_id = models.CharField(_("event"), max_length=64, blank=True)
    doubt = models.CharField(_("doubt"), max_length=200, blank=True)
    raw = models.BinaryField(_("as it came"))
    raw_sha256 = models.CharField(_("hash"), max_length=64)
    verdict = models.CharField(_("verdict"), max_length=20)
    sequence = models.PositiveIntegerField(_("step of the attempt"), null=True)
    received_at = models.DateTimeField(_("received at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=Now())
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "settlement_payout_evidence"
        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")
        indexes = [models.Index(fields=["merchant", "attempt", "id"], name="evidence_by_attempt")]

    def __str__(self) -> str:
        return f"{self.source} {self.kind} {self.code}"
