"""An application: what somebody wants to become our merchant with, and how far it has come."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Final

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from foundation.fields import EncryptedTextField
from foundation.models import Approval, Fact, FactForeignKey
from foundation.models.user import Person
from merchants.models.industry import ContractType, Industry, RiskGrade
from merchants.models.merchant import Merchant


class Bearer(models.TextChoices):
    """Who bears a responsibility (S0-09)."""

    HOUSE = "HOUSE", _("we")
    CHANNEL = "CHANNEL", _("the channel")
    PARTNER = "PARTNER", _("the partner")
    MERCHANT = "MERCHANT", _("the merchant")


class AccountKind(models.TextChoices):
    """What the number of the settlement account is: a card has a check digit of its own."""

    CORPORATE = "CORPORATE", _("company account")
    CARD = "CARD", _("bank card")


class Application(Fact):
    """
    One application. It lies in the house's book for good: it is there before its merchant is
    (docs/decisions/0012-applications.md).

    An OPENING makes a merchant, which it `became`. A CHANGE or a REVIEW `concerns` one that is
    there, and begins from `base`, the application that merchant stood on then; None for a merchant
    that a file brought in (docs/decisions/0015-changes-of-merchants.md).

    Its content changes in DRAFT and RETURNED alone, its state along TRANSITIONS; `makers` are all
    persons who had a hand in the content, and none of them reviews it. The database checks all of
    this again (merchants/sql/application.sql).
    """

    class Kind(models.TextChoices):
        OPENING = "OPENING", pgettext_lazy("application", "new merchant")
        CHANGE = "CHANGE", pgettext_lazy("application", "change")
        REVIEW = "REVIEW", pgettext_lazy("application", "re-review")

    class State(models.TextChoices):
        DRAFT = "DRAFT", _("draft")
        SUBMITTED = "SUBMITTED", _("waits for review")
        FIRST_REVIEW = "FIRST_REVIEW", _("in first review")
        RETURNED = "RETURNED", _("returned for completion")
        APPROVED = "APPROVED", _("approved")
        REJECTED = "REJECTED", _("refused")
        WITHDRAWN = "WITHDRAWN", pgettext_lazy("application", "given up")

    number = models.CharField(_("application number"), max_length=32)
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    kind = models.CharField(
        pgettext_lazy("application", "kind"), max_length=7, choices=Kind, default=Kind.OPENING
    )
    concerns = models.ForeignKey(
        Merchant, models.PROTECT, related_name="+", null=True, verbose_name=_("merchant concerned")
    )
    base = FactForeignKey(
        "self",
        models.PROTECT,
        related_name="+",
        null=True,
        verbose_name=_("application it changes"),
    )
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.DRAFT)
    sequence = models.PositiveIntegerField(_("steps"), default=1)
    revision = models.PositiveIntegerField(_("revision"), default=0)
    version_no = models.PositiveSmallIntegerField(_("version"), default=0)
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("entered by")
    )
    brought_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("brought by")
    )
    # By whom the applicant comes to us; "" for nobody. The merchant's agent when it is approved.
    agent_no = models.CharField(_("agent number"), max_length=64, blank=True)
    makers = ArrayField(models.UUIDField(), verbose_name=_("makers"))
    first_reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="+",
        null=True,
        verbose_name=_("first reviewer"),
    )
    first_reviewer_person = models.ForeignKey(
        Person, models.PROTECT, related_name="+", null=True, db_index=False
    )
    second_reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="+",
        null=True,
        verbose_name=_("second reviewer"),
    )
    second_reviewer_person = models.ForeignKey(
        Person, models.PROTECT, related_name="+", null=True, db_index=False
    )
    approval = FactForeignKey(
        Approval, models.PROTECT, related_name="+", null=True, verbose_name=_("approval")
    )
    became = models.ForeignKey(
        Merchant, models.PROTECT, related_name="+", null=True, verbose_name=_("merchant")
    )
    due_date = models.DateField(_("to be completed by"), null=True)
    created_at = models.DateTimeField(_("created at"))

    name = models.CharField(_("merchant name"), max_length=200, blank=True)
    country = models.CharField(_("country"), max_length=2, default="CN")
    registration_no = models.CharField(_("registration number"), max_length=64, blank=True)
    licence_until = models.DateField(_("licence valid until"), null=True)
    licence_long_term = models.BooleanField(
        _("licence without an end"), default=False, db_default=False
    )
    industry = models.ForeignKey(
        Industry, models.PROTECT, related_name="+", null=True, verbose_name=_("industry")
    )
    region = models.CharField(_("region"), max_length=100, blank=True)
    city = models.CharField(_("city"), max_length=100, blank=True)
    address = models.CharField(_("address"), max_length=200, blank=True)

    contract_type = models.CharField(_("contract"), max_length=10, choices=ContractType, blank=True)
    contract_until = models.DateField(_("contract valid until"), null=True)
    products = ArrayField(
        models.CharField(max_length=20), verbose_name=_("products asked for"), default=list
    )
    filing_no = models.CharField(_("licence or filing number"), max_length=64, blank=True)
    filing_until = models.DateField(_("filing valid until"), null=True)
    schedule = models.CharField(_("settlement schedule"), max_length=12, default="T1")
    reviewed_by_whom = models.CharField(_("who reviews"), max_length=8, choices=Bearer, blank=True)
    settled_by_whom = models.CharField(_("who settles"), max_length=8, choices=Bearer, blank=True)
    loss_borne_by = models.CharField(
        _("who bears losses"), max_length=8, choices=Bearer, blank=True
    )
    risk_grade = models.PositiveSmallIntegerField(
        _("risk grade"), choices=RiskGrade, default=RiskGrade.LOW
    )

    account_kind = models.CharField(
        _("kind of account"), max_length=9, choices=AccountKind, default=AccountKind.CORPORATE
    )
    account_number = EncryptedTextField(_("account number"), null=True)
    account_hash = models.BinaryField(_("look-up hash"), max_length=32, null=True)
    account_masked = models.CharField(_("account number"), max_length=40, blank=True)
    account_holder = models.CharField(_("account holder"), max_length=200, blank=True)
    bank_name = models.CharField(_("bank"), max_length=200, blank=True)
    bank_code = models.CharField(_("bank code (CNAPS)"), max_length=20, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default="CNY")

    class Meta:
        db_table = "merchants_application"
        verbose_name = pgettext_lazy("merchant", "application")
        verbose_name_plural = pgettext_lazy("merchant", "applications")
        permissions = [
            ("review_application", _("Can do the first review of applications")),
            ("approve_application", _("Can approve applications")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["merchant", "number"], name="application_number"),
            models.UniqueConstraint(fields=["merchant", "uuid"], name="application_uuid"),
            models.UniqueConstraint(
                fields=["merchant", "became"],
                condition=Q(became__isnull=False),
                name="application_became_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["DRAFT", "WITHDRAWN"]) | Q(version_no__gte=1),
                name="application_versioned",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["DRAFT", "SUBMITTED", "WITHDRAWN"])
                | Q(first_reviewer__isnull=False, first_reviewer_person__isnull=False),
                name="application_reviewed_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(state="APPROVED", second_reviewer__isnull=False)
                & (Q(became__isnull=False) | Q(concerns__isnull=False))
                | (~Q(state="APPROVED") & Q(became=None, second_reviewer=None)),
                name="application_approved_became_merchant",
            ),
            models.CheckConstraint(
                condition=Q(kind="OPENING", concerns=None, base=None)
                | Q(kind__in=["CHANGE", "REVIEW"], concerns__isnull=False, became=None),
                name="application_concerns_merchant",
            ),
            models.UniqueConstraint(
                fields=["merchant", "concerns"],
                condition=Q(concerns__isnull=False)
                & Q(state__in=["DRAFT", "SUBMITTED", "FIRST_REVIEW", "RETURNED"]),
                name="application_one_open",
            ),
            # The account has a flow of its own, with proofs and cooling (MER-8).
            models.CheckConstraint(
                condition=Q(kind="OPENING")
                | Q(account_number__isnull=True, account_hash__isnull=True, account_masked="")
                & Q(account_holder="", bank_name="", bank_code=""),
                name="application_change_no_account",
            ),
            models.CheckConstraint(
                condition=Q(second_reviewer_person=None)
                | ~Q(second_reviewer_person=F("first_reviewer_person")),
                name="application_two_reviewers",
            ),
            models.CheckConstraint(
                condition=Q(account_hash__isnull=True, account_number__isnull=True)
                & Q(account_masked="")
                | Q(account_hash__isnull=False, account_number__isnull=False)
                & ~Q(account_masked=""),
                name="application_account_whole",
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["merchant", "state", "id"], name="application_by_state"),
            models.Index(fields=["merchant", "kind", "id"], name="application_by_kind"),
            models.Index(
                fields=["registration_no"],
                condition=~Q(registration_no=""),
                name="application_registration",
            ),
            models.Index(
                fields=["account_hash"],
                condition=Q(account_hash__isnull=False),
                name="application_account",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.name}".strip()


State = Application.State
Kind = Application.Kind
TRANSITIONS: Final[Mapping[Application.State, frozenset[Application.State]]] = {
    State.DRAFT: frozenset({State.SUBMITTED, State.WITHDRAWN}),
    State.SUBMITTED: frozenset({State.FIRST_REVIEW}),
    State.FIRST_REVIEW: frozenset({State.RETURNED, State.APPROVED, State.REJECTED}),
    State.RETURNED: frozenset({State.SUBMITTED, State.REJECTED, State.WITHDRAWN}),
    State.APPROVED: frozenset(),
    State.REJECTED: frozenset(),
    State.WITHDRAWN: frozenset(),
}
OPEN: Final = frozenset({State.DRAFT, State.RETURNED})  # the content may change


class ApplicationTransition(Fact):
    """One step of an application's way, with who took it and why. Append-only."""

    application = FactForeignKey(Application, models.PROTECT, related_name="transitions")
    sequence = models.PositiveIntegerField(_("step"))
    from_state = models.CharField(_("from"), max_length=12, blank=True)
    to_state = models.CharField(_("to"), max_length=12, choices=State)
    reason = models.TextField(_("reason"), blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("who")
    )
    at = models.DateTimeField(_("when"))
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "merchants_application_transition"
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "application", "sequence", "to_state"],
                name="application_step_state",
            ),
            models.UniqueConstraint(
                fields=["merchant", "application", "sequence"], name="application_step"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.application_id} {self.from_state} -> {self.to_state}"


class ApplicationVersion(Fact):
    """
    Exactly what was submitted, frozen: canonical JSON and its SHA-256. Append-only.

    Numbers that are secret stand in it masked and by their keyed hash, documents by their SHA-256.
    """

    application = FactForeignKey(Application, models.PROTECT, related_name="versions")
    number = models.PositiveSmallIntegerField(_("version"))
    content = models.TextField(_("content"))
    sha256 = models.CharField(_("hash of the content"), max_length=64)
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("submitted by")
    )
    submitted_at = models.DateTimeField(_("submitted at"))

    class Meta:
        db_table = "merchants_application_version"
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "application", "number"], name="application_version"
            )
        ]

    def __str__(self) -> str:
        return f"{self.application_id} v{self.number}"


class ApplicationComment(Fact):
    """
    What the first reviewer says about one field of one version, for who completes it. Append-only.
    """

    application = FactForeignKey(Application, models.PROTECT, related_name="comments")
    version_no = models.PositiveSmallIntegerField(_("version"))
    field = models.CharField(_("field"), max_length=60)
    text = models.CharField(_("comment"), max_length=500)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("who")
    )
    at = models.DateTimeField(_("when"))

    class Meta:
        db_table = "merchants_application_comment"
        constraints = [
            models.CheckConstraint(condition=~Q(text=""), name="application_comment_says")
        ]
        indexes = [
            models.Index(
                fields=["merchant", "application", "version_no"], name="application_comments"
            )
        ]

    def __str__(self) -> str:
        return f"{self.field}: {self.text}"


class ApplicationEvidence(Fact):
    """
    What was known and decided when a merchant was approved, for whoever asks later (S0-10).

    Canonical JSON: the approved version and its hash, every step, comment and decision, the gates
    then in force. Append-only; the database checks the hash.
    """

    application = FactForeignKey(Application, models.PROTECT, related_name="evidence")
    content = models.TextField(_("content"))
    sha256 = models.CharField(_("hash of the content"), max_length=64)
    made_at = models.DateTimeField(_("made at"))

    class Meta:
        db_table = "merchants_application_evidence"
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "application"], name="application_evidence_once"
            )
        ]

    def __str__(self) -> str:
        return self.sha256
