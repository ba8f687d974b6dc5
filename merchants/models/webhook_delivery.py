"""One event on its way to one endpoint: written with the business, sent afterwards, signed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from foundation.models import Fact, FactForeignKey
from foundation.money import Money
from merchants.models.webhook_endpoint import WebhookEndpoint

MAX_TEXT: Final = 1024  # characters of a receiver's answer that are kept


class WebhookDelivery(Fact):
    """
    What happened, and how the telling goes. What happened never changes; the sequence number is
    given once, before the first sending, without gaps in each endpoint.

    PENDING waits for its next try; whoever sends holds a lease with a fencing number. DELIVERED was
    answered 2xx, PARKED waits for a person, DROPPED lost its endpoint (docs/rules/webhooks.md).
    """

    class State(models.TextChoices):
        PENDING = "PENDING", pgettext_lazy("webhook", "on its way")
        DELIVERED = "DELIVERED", pgettext_lazy("webhook", "delivered")
        PARKED = "PARKED", pgettext_lazy("webhook", "given up")
        DROPPED = "DROPPED", pgettext_lazy("webhook", "dropped: the address was removed")

    class Answer(models.TextChoices):
        """What came of the last try."""

        ACCEPTED = "ACCEPTED", _("accepted")
        STATUS = "STATUS", _("answered with an error")
        REDIRECT = "REDIRECT", _("answered with a redirection, which is not followed")
        REFUSED = "REFUSED", _("the address leads to a network that is not public")
        UNRESOLVED = "UNRESOLVED", _("the name of the host is not known")
        UNREACHABLE = "UNREACHABLE", _("no connection")
        CERTIFICATE = "CERTIFICATE", _("its certificate is not good")
        TIMEOUT = "TIMEOUT", _("no answer in time")
        BROKEN = "BROKEN", _("the connection broke, or it was no answer")

    endpoint = FactForeignKey(
        WebhookEndpoint,
        models.PROTECT,
        related_name="deliveries",
        db_index=False,
        db_constraint=False,  # sql/webhook_keys.sql has it, with the merchant
        verbose_name=_("webhook endpoint"),
    )
    event_id = models.UUIDField(_("event id"))
    event = models.CharField(_("event"), max_length=64)
    object_number = models.CharField(_("number"), max_length=100)
    object_state = models.CharField(_("state of it"), max_length=30)
    amount_minor = models.BigIntegerField(_("amount"), null=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    at = models.DateTimeField(_("happened at"))
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)
    created_at = models.DateTimeField(_("written at"), db_default=Now(), editable=False)
    sequence = models.BigIntegerField(_("sequence number"), null=True)
    state = models.CharField(
        _("state"), max_length=9, choices=State, default=State.PENDING, db_default=State.PENDING
    )
    tries = models.PositiveSmallIntegerField(_("tries"), default=0, db_default=0)
    next_try_at = models.DateTimeField(_("next try at"), db_default=Now())
    owner = models.CharField(_("owner"), max_length=100, blank=True, default="", db_default="")
    lease_expires_at = models.DateTimeField(_("lease expires at"), null=True)
    fence = models.BigIntegerField(_("fencing number"), default=0, db_default=0)
    tried_at = models.DateTimeField(_("last tried at"), null=True)
    answer = models.CharField(
        _("answer"), max_length=11, choices=Answer, blank=True, default="", db_default=""
    )
    answer_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True)
    answer_text = models.CharField(
        _("text of the answer"), max_length=MAX_TEXT, blank=True, default="", db_default=""
    )
    ended_at = models.DateTimeField(_("ended at"), null=True)

    class Meta:
        db_table = "merchants_webhook_delivery"
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "endpoint", "event_id"], name="webhook_delivery_once"
            ),
            models.UniqueConstraint(
                fields=["merchant", "endpoint", "sequence"], name="webhook_delivery_sequence"
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__isnull=True, currency="")
                | (Q(amount_minor__isnull=False) & ~Q(currency="")),
                name="webhook_delivery_amount",
            ),
            models.CheckConstraint(
                condition=Q(state="PENDING", ended_at__isnull=True)
                | (Q(state__in=["DELIVERED", "PARKED", "DROPPED"], ended_at__isnull=False)),
                name="webhook_delivery_ends",
            ),
            models.CheckConstraint(
                condition=Q(owner="", lease_expires_at__isnull=True)
                | (~Q(owner="") & Q(state="PENDING", lease_expires_at__isnull=False)),
                name="webhook_delivery_lease",
            ),
        ]
        indexes = [
            models.Index(
                fields=["merchant", "endpoint", "next_try_at"],
                condition=Q(state="PENDING"),
                name="webhook_delivery_due",
            ),
            models.Index(
                fields=["merchant", "endpoint"], condition=~Q(owner=""), name="webhook_in_hand"
            ),
            models.Index(fields=["merchant", "endpoint", "-id"], name="webhook_delivery_newest"),
            models.Index(fields=["created_at", "id"], name="webhook_delivery_oldest"),
            models.Index(
                fields=["-id"], condition=Q(state="PARKED"), name="webhook_delivery_parked"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.event}"

    @property
    def public_id(self) -> str:
        """The event's id as receivers know it; the same for every try and every endpoint."""
        return f"evt_{self.event_id.hex}"

    @property
    def amount(self) -> Money | None:
        """How much it is about, if it is about money."""
        return None if self.amount_minor is None else Money(self.amount_minor, self.currency)


State = WebhookDelivery.State

# merchants/sql/webhook.sql says the same.
TRANSITIONS: Final[Mapping[WebhookDelivery.State, frozenset[WebhookDelivery.State]]] = {
    State.PENDING: frozenset({State.DELIVERED, State.PARKED, State.DROPPED}),
    State.DELIVERED: frozenset({State.PENDING}),  # sent again because somebody asks
    State.PARKED: frozenset({State.PENDING, State.DROPPED}),
    State.DROPPED: frozenset(),
}
