"""
Maker and checker: frozen proposals, the decisions on them, and how many checkers an amount needs.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from foundation import registries
from foundation.models.delegation import Delegation
from foundation.models.fact import Fact, FactForeignKey
from foundation.models.user import Person
from foundation.money import Money


class ApprovalPolicy(models.Model):
    """
    How many checkers an action needs from an amount on; without a row it is one (AP-6).

    Reference data. Amounts are minor units; currency "" holds for every currency without its own.
    A row is written only by an approval, which it names: the database compares them (AP-11).
    """

    action = models.CharField(_("action"), max_length=100)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    from_amount_minor = models.BigIntegerField(_("from amount"), default=0)
    checkers_needed = models.PositiveSmallIntegerField(_("checkers"), default=1)
    approval_id = models.BigIntegerField(_("approval"), null=True)

    class Meta:
        db_table = "foundation_approval_policy"
        verbose_name = _("approval tier")
        verbose_name_plural = _("approval tiers")
        permissions = [("approve_approvalpolicy", _("Can approve approval tiers"))]
        constraints = [
            models.UniqueConstraint(
                fields=["action", "currency", "from_amount_minor"], name="approval_policy_tier"
            ),
            models.CheckConstraint(
                condition=Q(checkers_needed__range=(1, 5)) & Q(from_amount_minor__gte=0),
                name="approval_policy_sensible",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.currency}"


class ApprovalRight(models.Model):
    """
    Which right deciding on an action asks for: the registered actions, as `migrate` writes them.

    Reference data, for the database alone: no proposal names another right (AP-14).
    """

    action = models.CharField(max_length=100, unique=True)
    permission = models.CharField(max_length=150)

    class Meta:
        db_table = "foundation_approval_right"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.action} {self.permission}"


class Approval(Fact):
    """
    A proposal, frozen when it is made: what changes, from what to what, how much money it moves.

    Only its state moves, along TRANSITIONS, and only with the decisions that allow it: the database
    checks all of this again (foundation/sql/approval.sql). House things lie in the house's book.
    """

    class State(models.TextChoices):
        PROPOSED = "PROPOSED", _("waits for a checker")
        APPROVED = "APPROVED", _("approved")
        REJECTED = "REJECTED", _("rejected")
        WITHDRAWN = "WITHDRAWN", _("withdrawn")
        EXPIRED = "EXPIRED", _("expired")

    TRANSITIONS = {
        State.PROPOSED: frozenset({State.APPROVED, State.REJECTED, State.WITHDRAWN, State.EXPIRED}),
    }

    action = models.CharField(_("action"), max_length=100)
    subject = models.CharField(_("subject"), max_length=200)
    before = models.JSONField(_("before"))
    after = models.JSONField(_("after"))
    effect_minor = models.BigIntegerField(_("money effect"), null=True)
    effect_currency = models.CharField(_("currency"), max_length=3, blank=True)
    reason = models.TextField(_("reason"))
    # name, media_type, size_bytes and sha256 of each; the bytes are ApprovalAttachments
    attachments = models.JSONField(_("attachments"), default=list)
    permission = models.CharField(_("right of the checker"), max_length=150, blank=True)
    maker = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("maker")
    )
    maker_person = models.ForeignKey(Person, models.PROTECT, related_name="+")
    content_sha256 = models.CharField(_("hash of the content"), max_length=64)
    checkers_needed = models.PositiveSmallIntegerField(_("checkers"))
    proposed_at = models.DateTimeField(_("proposed at"))
    expires_at = models.DateTimeField(_("expires at"))
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.PROPOSED)
    closed_at = models.DateTimeField(_("closed at"), null=True)
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)
    # <nonce>:<stamp> of what never changes (foundation/services/approval_stamp.py)
    stamp = models.CharField(_("stamp"), max_length=97, db_default="", editable=False)

    class Meta:
        db_table = "foundation_approval"
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "action", "subject"],
                condition=Q(state="PROPOSED"),
                name="approval_one_open",
            ),
            models.UniqueConstraint(
                fields=["merchant", "id", "maker_person", "content_sha256"],
                name="approval_content",
            ),
            models.UniqueConstraint(
                fields=["merchant", "stamp"], condition=~Q(stamp=""), name="approval_stamped_once"
            ),
            models.CheckConstraint(
                condition=Q(effect_minor=None, effect_currency="")
                | (Q(effect_minor__isnull=False) & ~Q(effect_currency="")),
                name="approval_effect_has_currency",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("proposed_at")), name="approval_expires_later"
            ),
            models.CheckConstraint(condition=Q(checkers_needed__gte=1), name="approval_checked"),
            models.CheckConstraint(
                condition=Q(state="PROPOSED", closed_at=None)
                | (~Q(state="PROPOSED") & Q(closed_at__isnull=False)),
                name="approval_closed_at",
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], condition=Q(state="PROPOSED"), name="approval_open"
            ),
            models.Index(fields=["-proposed_at", "-id"], name="approval_newest"),
            models.Index(fields=["action", "-proposed_at", "-id"], name="approval_by_action"),
            models.Index(fields=["merchant", "subject", "-id"], name="approval_by_subject"),
        ]

    def __str__(self) -> str:
        if self.action not in registries.approval_actions:
            return f"{self.action} {self.subject}"
        return registries.approval_actions.get(self.action).describe(self)

    @property
    def money_effect(self) -> Money | None:
        """How much money the proposal moves, where it moves any."""
        if self.effect_minor is None:
            return None
        return Money(self.effect_minor, self.effect_currency)


class ApprovalDecision(Fact):
    """
    One checker's word on one proposal, with the hash of the content that was shown to him.

    Append-only. The database holds: checker and person belong together, the person is not the
    maker's, the content is the proposal's, the proposal was open. A delegate decides under his own
    name; `authority_person` is then who lent him the right, and each right speaks once. `stamp`
    tells a decision that the product wrote from one that SQL wrote (AP-16).
    """

    approval = FactForeignKey(Approval, models.PROTECT, related_name="decisions")
    checker = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("checker")
    )
    checker_person = models.ForeignKey(Person, models.PROTECT, related_name="+")
    maker_person = models.ForeignKey(Person, models.PROTECT, related_name="+")
    delegation = models.ForeignKey(
        Delegation, models.PROTECT, related_name="+", null=True, verbose_name=_("delegation")
    )
    delegator_person = models.ForeignKey(Person, models.PROTECT, related_name="+", null=True)
    authority_person = models.GeneratedField(
        expression=Coalesce("delegator_person", "checker_person"),
        output_field=models.UUIDField(),
        db_persist=True,
    )
    approves = models.BooleanField(_("approves"))
    reason = models.TextField(_("reason"), blank=True)
    content_sha256 = models.CharField(_("hash of the content"), max_length=64)
    decided_at = models.DateTimeField(_("decided at"))
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)
    stamp = models.CharField(_("stamp"), max_length=64, db_default="", editable=False)

    class Meta:
        db_table = "foundation_approval_decision"
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "approval", "checker_person"], name="approval_decides_once"
            ),
            models.UniqueConstraint(
                fields=["merchant", "approval", "authority_person"],
                name="approval_right_speaks_once",
            ),
            models.CheckConstraint(
                condition=~Q(maker_person=F("checker_person")), name="approval_two_persons"
            ),
            models.CheckConstraint(
                condition=Q(delegator_person=None) | ~Q(maker_person=F("delegator_person")),
                name="approval_not_for_its_maker",
            ),
            models.CheckConstraint(
                condition=Q(delegation=None, delegator_person=None)
                | Q(delegation__isnull=False, delegator_person__isnull=False),
                name="approval_delegated_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.checker_id} {'approves' if self.approves else 'rejects'} {self.approval_id}"
