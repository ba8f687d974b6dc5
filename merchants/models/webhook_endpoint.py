"""Where a merchant's program is told of news, which news, and with which secret they are signed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from foundation.fields import EncryptedTextField
from foundation.models import Fact

MOST: Final = 5  # endpoints of one merchant
MAX_URL: Final = 500


class WebhookEndpoint(Fact):
    """
    One address of a merchant's own program. Its URL never changes: another one is another endpoint.

    Two secrets are good while a rotation overlaps. What stands below `tried_at` is the machine's
    own bookkeeping: how the sending goes, and how long to leave a failing receiver in peace.
    """

    class State(models.TextChoices):
        ACTIVE = "ACTIVE", pgettext_lazy("webhook", "active")
        PAUSED = "PAUSED", pgettext_lazy("webhook", "paused")
        REMOVED = "REMOVED", pgettext_lazy("webhook", "removed")

    class PausedBy(models.TextChoices):
        OWNER = "OWNER", pgettext_lazy("webhook", "the merchant")
        STAFF = "STAFF", pgettext_lazy("webhook", "the institution")
        SYSTEM = "SYSTEM", pgettext_lazy("webhook", "the system, after days of failures")

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    place = models.PositiveSmallIntegerField(_("place"))  # 1 to MOST, free again once removed
    url = models.CharField(_("address"), max_length=MAX_URL)
    events = ArrayField(models.CharField(max_length=64), verbose_name=_("events"))
    secret = EncryptedTextField(_("secret"))
    secret_no = models.PositiveIntegerField(_("number of the secret"), default=1)
    previous_secret = EncryptedTextField(_("secret before"), null=True)
    previous_until = models.DateTimeField(_("secret before ends at"), null=True)
    state = models.CharField(_("state"), max_length=7, choices=State, default=State.ACTIVE)
    paused_by = models.CharField(_("paused by"), max_length=6, choices=PausedBy, blank=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("created at"))
    tried_at = models.DateTimeField(_("last tried at"), null=True)
    last_sequence = models.BigIntegerField(_("last sequence number"), default=0)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    failing_since = models.DateTimeField(_("failing since"), null=True)
    waits_until = models.DateTimeField(_("left in peace until"), null=True)

    class Meta:
        db_table = "merchants_webhook_endpoint"
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "url"],
                condition=~Q(state="REMOVED"),
                name="webhook_endpoint_url",
            ),
            models.UniqueConstraint(
                fields=["merchant", "place"],
                condition=~Q(state="REMOVED"),
                name="webhook_endpoint_place",
            ),
            models.CheckConstraint(
                condition=Q(place__gte=1, place__lte=MOST), name="webhook_endpoint_at_most"
            ),
            models.CheckConstraint(
                condition=Q(url__startswith="https://") | Q(url__startswith="http://127.0.0.1:"),
                name="webhook_endpoint_https",
            ),
            models.CheckConstraint(
                condition=Q(events__len__gt=0), name="webhook_endpoint_wants_something"
            ),
            models.CheckConstraint(
                condition=Q(previous_secret__isnull=True, previous_until__isnull=True)
                | Q(previous_secret__isnull=False, previous_until__isnull=False),
                name="webhook_endpoint_secret_before_ends",
            ),
            models.CheckConstraint(
                condition=Q(state="PAUSED", paused_by__in=["OWNER", "STAFF", "SYSTEM"])
                | Q(state__in=["ACTIVE", "REMOVED"], paused_by=""),
                name="webhook_endpoint_paused_by",
            ),
        ]

    def __str__(self) -> str:
        return self.url


State = WebhookEndpoint.State

# merchants/sql/webhook.sql says the same.
TRANSITIONS: Final[Mapping[WebhookEndpoint.State, frozenset[WebhookEndpoint.State]]] = {
    State.ACTIVE: frozenset({State.PAUSED, State.REMOVED}),
    State.PAUSED: frozenset({State.ACTIVE, State.REMOVED}),
    State.REMOVED: frozenset(),
}
