"""A merchant's registration with a channel: asked for, sent, and what the channel said."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from channels.models.product import Channel
from foundation.models import Fact, FactForeignKey
from merchants.models import ProductGate
from merchants.models.application import Bearer

SUBMIT_WITHIN: Final = timedelta(days=2)  # then it has lain here for too long
ANSWER_WITHIN: Final = timedelta(days=7)  # then the channel is asked again
MAX_TEXT: Final = 500
MAX_REFERENCE: Final = 100
MAX_NUMBER: Final = 64


class Registration(Fact):
    """
    One attempt to register a merchant for a kind of product with one channel (S0-08).

    It says by which application in force it was asked, with the hash of its evidence (none where a
    file brought the merchant in), and who then answered for what: the channel's terms as they stood
    (S0-09). A refused one stays; the next attempt is a row of its own. `outdated_at` is when the
    merchant changed so that the channel knows it as it no longer is; the database notes it. The
    database checks all of this again (channels/sql/registration.sql).
    """

    class State(models.TextChoices):
        REQUESTED = "REQUESTED", pgettext_lazy("registration", "to be submitted")
        SUBMITTED = "SUBMITTED", pgettext_lazy("registration", "waits for the channel")
        APPROVED = "APPROVED", pgettext_lazy("registration", "approved by the channel")
        REFUSED = "REFUSED", pgettext_lazy("registration", "refused by the channel")
        WITHDRAWN = "WITHDRAWN", pgettext_lazy("registration", "withdrawn")
        ENDED = "ENDED", pgettext_lazy("registration", "ended")

    class Ended(models.TextChoices):
        CHANNEL = "CHANNEL", pgettext_lazy("registration", "the channel ended it")
        HOUSE = "HOUSE", pgettext_lazy("registration", "we ended it")
        CLOSING = "CLOSING", pgettext_lazy("registration", "we ended it, the merchant leaves")
        REPLACED = "REPLACED", pgettext_lazy("registration", "a later attempt replaced it")

    channel = models.ForeignKey(
        Channel, models.PROTECT, related_name="+", db_index=False, verbose_name=_("channel")
    )
    product = models.ForeignKey(
        ProductGate,
        models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("kind of product"),
    )
    attempt_no = models.PositiveSmallIntegerField(pgettext_lazy("registration", "attempt"))
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.REQUESTED)
    sequence = models.PositiveIntegerField(_("steps"), default=1)
    moved_at = models.DateTimeField(_("last news"))
    # No key: the application lies in the house's book, not in this one.
    application_id = models.BigIntegerField(_("application in force"), null=True)
    application_version = models.PositiveSmallIntegerField(_("version of the application"))
    evidence_sha256 = models.CharField(_("hash of its evidence"), max_length=64, blank=True)
    reviewed_by_whom = models.CharField(_("who reviews"), max_length=8, choices=Bearer)
    settled_by_whom = models.CharField(_("who settles"), max_length=8, choices=Bearer)
    loss_borne_by = models.CharField(_("who bears losses"), max_length=8, choices=Bearer)
    requested_at = models.DateTimeField(_("asked for at"))
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("asked for by")
    )
    submitted_at = models.DateTimeField(_("submitted at"), null=True)
    reference = models.CharField(_("channel's reference"), max_length=MAX_REFERENCE, blank=True)
    answered_at = models.DateTimeField(_("answered at"), null=True)
    answer = models.CharField(_("channel's text"), max_length=MAX_TEXT, blank=True)
    channel_merchant_no = models.CharField(
        _("channel's merchant number"), max_length=MAX_NUMBER, blank=True
    )
    outdated_at = models.DateTimeField(_("the merchant has changed since"), null=True)
    ended_at = models.DateTimeField(pgettext_lazy("registration", "ended at"), null=True)
    ended_how = models.CharField(
        pgettext_lazy("registration", "how it ended"),
        max_length=8,
        choices=Ended,
        blank=True,
        db_default="",
        default="",
    )
    end_reason = models.CharField(
        _("why it ended"), max_length=MAX_TEXT, blank=True, db_default="", default=""
    )
    # The proposal that two persons agreed on, in this book; where we ended it.
    end_approval_id = models.BigIntegerField(_("approval"), null=True)

    class Meta:
        db_table = "channels_registration"
        verbose_name = _("channel registration")
        verbose_name_plural = _("channel registrations")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "channel", "product", "attempt_no"],
                name="registration_attempt",
            ),
            models.UniqueConstraint(
                fields=["merchant", "channel", "product"],
                condition=Q(state__in=["REQUESTED", "SUBMITTED"]),
                name="registration_one_live",
            ),
            models.UniqueConstraint(
                fields=["merchant", "channel", "product"],
                condition=Q(state="APPROVED"),
                name="registration_one_approved",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=["REQUESTED", "WITHDRAWN"], reference="", answer="",
                    channel_merchant_no="", submitted_at=None, answered_at=None,
                )
                | ~Q(reference="") & Q(submitted_at__isnull=False)
                & (
                    Q(
                        state__in=["SUBMITTED", "WITHDRAWN"], answer="", channel_merchant_no="",
                        answered_at=None,
                    )
                    | Q(state__in=["APPROVED", "ENDED"], answered_at__isnull=False)
                    & ~Q(channel_merchant_no="")
                    | Q(state="REFUSED", channel_merchant_no="", answered_at__isnull=False)
                    & ~Q(answer="")
                ),
                name="registration_says_what_its_state_asks",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["WITHDRAWN", "ENDED"])
                & Q(ended_at=None, ended_how="", end_reason="", end_approval_id=None)
                | Q(state="WITHDRAWN", ended_at__isnull=False, ended_how="", end_approval_id=None)
                & ~Q(end_reason="")
                | Q(state="ENDED", ended_at__isnull=False)
                & (
                    Q(ended_how__in=["CHANNEL", "CLOSING"], end_approval_id=None)
                    & ~Q(end_reason="")
                    | Q(ended_how="HOUSE", end_approval_id__isnull=False) & ~Q(end_reason="")
                    | Q(ended_how="REPLACED", end_approval_id=None, end_reason="")
                ),
                name="registration_says_how_it_ended",
            ),
            models.CheckConstraint(
                condition=Q(application_id=None, application_version=0, evidence_sha256="")
                | Q(application_id__isnull=False, application_version__gte=1)
                & ~Q(evidence_sha256=""),
                name="registration_evidence_whole",
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["merchant", "id"], name="registration_of_merchant"),
            models.Index(fields=["state", "moved_at", "id"], name="registration_waiting"),
            models.Index(fields=["channel", "id"], name="registration_of_channel"),
            models.Index(
                fields=["channel_merchant_no", "channel"],
                condition=~Q(channel_merchant_no=""),
                name="registration_channel_number",
            ),
            models.Index(
                fields=["reference"], condition=~Q(reference=""), name="registration_reference"
            ),
            models.Index(
                fields=["outdated_at", "id"],
                condition=Q(outdated_at__isnull=False, state__in=["SUBMITTED", "APPROVED"]),
                name="registration_outdated",
            ),
        ]
        permissions = [
            ("approve_registration", _("Can decide to end registrations with channels")),
        ]

    def __str__(self) -> str:
        return f"{self.channel} · {self.product} · {self.attempt_no}"


State = Registration.State
TRANSITIONS: Final[Mapping[Registration.State, frozenset[Registration.State]]] = {
    State.REQUESTED: frozenset({State.SUBMITTED, State.WITHDRAWN}),
    # to itself: the channel was asked, and has not decided
    State.SUBMITTED: frozenset({State.SUBMITTED, State.APPROVED, State.REFUSED, State.WITHDRAWN}),
    State.APPROVED: frozenset({State.ENDED}),
    State.REFUSED: frozenset(),
    State.WITHDRAWN: frozenset(),
    State.ENDED: frozenset(),
}


class RegistrationTransition(Fact):
    """One step of a registration's way: who, when, and what the channel said. Append-only."""

    registration = FactForeignKey(
        Registration,
        models.PROTECT,
        related_name="transitions",
        db_index=False,
        verbose_name=_("channel registration"),
    )
    sequence = models.PositiveIntegerField(_("step"))
    from_state = models.CharField(_("from"), max_length=9, blank=True, choices=State)
    to_state = models.CharField(_("to"), max_length=9, choices=State)
    text = models.CharField(_("channel's text"), max_length=MAX_TEXT, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("who")
    )
    at = models.DateTimeField(_("when"))
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "channels_registration_transition"
        verbose_name = _("step of a registration")
        verbose_name_plural = _("steps of registrations")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "registration", "sequence", "to_state"],
                name="registration_step_state",
            ),
            models.UniqueConstraint(
                fields=["merchant", "registration", "sequence"], name="registration_step"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.registration_id} {self.from_state} -> {self.to_state}"
