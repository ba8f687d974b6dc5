"""Agents: who brings merchants to us, one below the other, and whom each merchant came by."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from foundation.models import Fact

MAX_LEVELS: Final = 5  # agents above each other, the lowest included; merchants/sql/agent.sql too


class AgentKind(models.TextChoices):
    """What an agent does for the merchants it brings."""

    AGENT = "AGENT", pgettext_lazy("kind of agent", "agent")
    ISV = "ISV", _("service provider")


class AgentState(models.TextChoices):
    """Whether an agent brings new merchants."""

    ACTIVE = "ACTIVE", _("active")
    STOPPED = "STOPPED", _("stopped")


class AgentContent(models.Model):
    """What is agreed with an agent: the same columns now, and in every step that led here."""

    name = models.CharField(_("agent's name"), max_length=200)
    kind = models.CharField(_("kind"), max_length=5, choices=AgentKind, default=AgentKind.AGENT)
    contact_name = models.CharField(_("contact's name"), max_length=100, blank=True)
    contact_email = models.EmailField(_("e-mail"), max_length=200, blank=True)
    contract_from = models.DateField(_("contract from"), null=True)
    contract_until = models.DateField(_("contract until"), null=True)
    state = models.CharField(
        _("state"), max_length=7, choices=AgentState, default=AgentState.ACTIVE
    )

    class Meta:
        abstract = True


class Agent(AgentContent):
    """
    An agent or service provider as it stands now. Reference data: small, without money.

    The row is what its last step says, word for word; active agents have active ones above them
    alone, at most MAX_LEVELS, and never themselves (merchants/sql/agent.sql).
    """

    number = models.CharField(_("agent number"), max_length=64, unique=True)
    parent = models.ForeignKey(
        "self", models.PROTECT, related_name="children", null=True, verbose_name=_("works for")
    )
    steps = models.PositiveIntegerField(pgettext_lazy("agent", "steps"), default=1)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "merchants_agent"
        verbose_name = pgettext_lazy("kind of agent", "agent")
        verbose_name_plural = _("agents")
        permissions = [
            ("propose_agent", _("Can propose agents and whom merchants came by")),
            ("approve_agent", _("Can decide on agents and whom merchants came by")),
            ("import_agent", _("Can import agents")),
            ("export_agent", _("Can export agents")),
        ]
        constraints = [
            # No blank and no arrow: proposals say `<merchant> <agent>→<agent>`, "-" for nobody.
            models.CheckConstraint(
                condition=Q(number__regex=r"^[A-Za-z0-9][A-Za-z0-9._-]*$"), name="agent_numbered"
            ),
            models.CheckConstraint(condition=~Q(name=""), name="agent_named"),
            models.CheckConstraint(condition=Q(kind__in=AgentKind.values), name="agent_kind_known"),
            models.CheckConstraint(
                condition=Q(state__in=AgentState.values), name="agent_state_known"
            ),
            models.CheckConstraint(
                condition=Q(contract_from=None)
                | Q(contract_until=None)
                | Q(contract_until__gte=F("contract_from")),
                name="agent_contract_in_order",
            ),
            models.CheckConstraint(
                condition=Q(parent=None) | ~Q(parent=F("id")), name="agent_not_its_own_parent"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.name}"


class AgentStep(AgentContent):
    """
    What an agent was from a moment on, until its next step. Append-only.

    `approval_book` and `approval_id` name the proposal that two persons made and decided; only the
    first step of an agent that an operator's file brought in has none.
    """

    agent = models.ForeignKey(Agent, models.PROTECT, related_name="+", db_index=False)
    sequence = models.PositiveIntegerField(_("sequence"))
    parent = models.ForeignKey(
        Agent, models.PROTECT, related_name="+", null=True, verbose_name=_("works for")
    )
    from_at = models.DateTimeField(_("from"))
    approval_book = models.BigIntegerField(null=True)
    approval_id = models.BigIntegerField(null=True)
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "merchants_agent_step"
        verbose_name = _("step of an agent")
        verbose_name_plural = _("steps of agents")
        constraints = [
            models.UniqueConstraint(fields=["agent", "sequence"], name="agent_step_sequence"),
            models.CheckConstraint(
                condition=Q(approval_book=None, approval_id=None, sequence=1)
                | Q(approval_book__isnull=False, approval_id__isnull=False),
                name="agent_step_approval_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent_id} {self.sequence}"


class MerchantAgent(Fact):
    """
    By whom a merchant came from a moment on, until its next line; nobody where `agent` is empty.
    Append-only.

    The first line of a merchant that comes with its agent is written by the database and names no
    proposal: the merchant's own application or file is it.
    """

    sequence = models.PositiveIntegerField(_("sequence"))
    agent = models.ForeignKey(
        Agent,
        models.PROTECT,
        related_name="+",
        null=True,
        verbose_name=pgettext_lazy("kind of agent", "agent"),
    )
    from_at = models.DateTimeField(_("from"))
    approval_book = models.BigIntegerField(null=True)
    approval_id = models.BigIntegerField(null=True)
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "merchants_merchant_agent"
        verbose_name = _("agent of a merchant")
        verbose_name_plural = _("agents of merchants")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "sequence"], name="merchant_agent_sequence"
            ),
            models.UniqueConstraint(
                fields=["merchant", "approval_book", "approval_id"], name="merchant_agent_once"
            ),
            models.CheckConstraint(
                condition=Q(approval_book=None, approval_id=None, sequence=1, agent__isnull=False)
                | Q(approval_book__isnull=False, approval_id__isnull=False),
                name="merchant_agent_approval_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.merchant_id} {self.sequence}"
