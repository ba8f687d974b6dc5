"""Forms that propose: a new agent, an agent as it shall be, and lists below or from an agent."""

from __future__ import annotations

import re
from typing import Any, Final, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from foundation import clock
from foundation.admin import form_page
from foundation.admin.readonly import MAX_REASON
from foundation.models import User
from merchants.admin import agent_choice, agent_import
from merchants.admin.merchant_state import chosen
from merchants.models import Agent, AgentKind
from merchants.selectors import agent as selectors
from merchants.services import agent as agents
from merchants.services import agent_move

RIGHT: Final = "merchants.propose_agent"
NEW: Final = "merchants_agent_propose"
EDIT: Final = "merchants_agent_edit"
ASSIGN: Final = "merchants_agent_assign"
PARENTS: Final = "merchants_agent_parents"
_BETWEEN: Final = re.compile(r"[\r\n\t,;，；、 ]+")
_LINES: Final = re.compile(r"[\r\n\t,;，；、]+")


def _text(label: Any, most: int, **more: Any) -> forms.CharField:
    widget = UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"})
    return forms.CharField(label=label, max_length=most, widget=widget, **more)


def _date(label: Any) -> forms.DateField:
    widget = UnfoldAdminSingleDateWidget(attrs={"type": "date"}, format="%Y-%m-%d")
    return forms.DateField(label=label, required=False, widget=widget, input_formats=["%Y-%m-%d"])


def _reason() -> forms.CharField:
    return forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=MAX_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


def _numbers(label: Any, most: int) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=most,
        help_text=gettext_lazy("One to a line, or with commas between."),
        widget=UnfoldAdminTextareaWidget(),
    )


class AgentForm(forms.Form):
    """What is agreed with an agent. Shapes only."""

    number = _text(gettext_lazy("agent number"), 64)
    name = _text(gettext_lazy("agent's name"), 200)
    kind = forms.ChoiceField(
        label=gettext_lazy("kind"), choices=AgentKind.choices, widget=UnfoldAdminSelectWidget()
    )
    parent = agent_choice.field(gettext_lazy("works for"))
    contact_name = _text(gettext_lazy("contact's name"), 100, required=False)
    contact_email = _text(gettext_lazy("e-mail"), 200, required=False)
    contract_from = _date(gettext_lazy("contract from"))
    contract_until = _date(gettext_lazy("contract until"))
    reason = _reason()

    def content(self) -> dict[str, str]:
        """Return what the service takes: texts, days in ISO 8601."""
        values = self.cleaned_data
        days = ("contract_from", "contract_until")
        return {
            **{name: values[name] for name in
               ("name", "kind", "parent", "contact_name", "contact_email")},
            **{name: values[name].isoformat() if values[name] else "" for name in days},
        }  # fmt: skip


class AssignForm(forms.Form):
    """Which merchants came by whom."""

    agent = agent_choice.field(gettext_lazy("By whom they came"))
    merchants = _numbers(gettext_lazy("Merchant numbers"), 400_000)
    reason = _reason()


class ParentsForm(forms.Form):
    """Which agents work for whom."""

    parent = agent_choice.field(gettext_lazy("Whom they work for"))
    agents = _numbers(gettext_lazy("Agent numbers"), 40_000)
    reason = _reason()


def _proposed() -> str:
    return _("Proposed; another person decides in the approvals.")


def _require_right(request: HttpRequest) -> User:
    if not request.user.has_perm(RIGHT):
        raise PermissionDenied
    return cast(User, request.user)


@require_http_methods(["GET", "HEAD", "POST"])
def new_page(request: HttpRequest) -> HttpResponse:
    """Propose a new agent; another person decides. Rule: AGT-2."""
    maker = _require_right(request)
    form = AgentForm(request.POST if request.method == "POST" else None)

    def run(values: dict[str, Any]) -> str:
        agents.propose(
            number=values["number"], content=form.content(), new=True, reason=values["reason"],
            maker=maker, at=clock.now(),
        )  # fmt: skip
        return _proposed()

    return form_page.serve(
        request,
        title=_("Take on an agent"),
        intro=_("Another person decides. An agent brings merchants and may work for another one."),
        button=_("Propose"),
        form=form,
        run=run,
        onward=reverse("admin:merchants_agent_changelist"),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def edit_page(request: HttpRequest, object_id: int) -> HttpResponse:
    """Propose an agent as it shall be; another person decides. Rule: AGT-2."""
    maker = _require_right(request)
    row = Agent.objects.select_related("parent").filter(pk=object_id).first()
    if row is None:
        raise Http404
    sent = request.method == "POST"
    form = AgentForm(request.POST if sent else None, initial=agents.content_of(row))
    del form.fields["number"]

    def run(values: dict[str, Any]) -> str:
        agents.propose(
            number=row.number, content=form.content(), new=False, reason=values["reason"],
            maker=maker, at=clock.now(),
        )  # fmt: skip
        return _proposed()

    return form_page.serve(
        request,
        title=_("Change agent %(number)s") % {"number": row.number},
        intro=_("Another person decides. What was agreed before stays in the history."),
        button=_("Propose"),
        form=form,
        run=run,
        onward=reverse("admin:merchants_agent_change", args=[row.pk]),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def assign_page(request: HttpRequest) -> HttpResponse:
    """Propose by whom a list of merchants came; another person decides on the list. Rule: AGT-6."""
    maker = _require_right(request)
    form = AssignForm(
        request.POST if request.method == "POST" else None,
        initial={
            "merchants": "\n".join(chosen(request.GET.get("chosen", ""))),
            "agent": request.GET.get("agent", "").replace("\0", "")[:64],
        },
    )

    def run(values: dict[str, Any]) -> str:
        agent_move.propose(
            merchant_nos=_LINES.split(values["merchants"]), agent=values["agent"],
            reason=values["reason"], maker=maker, at=clock.now(),
        )  # fmt: skip
        return _proposed()

    return form_page.serve(
        request,
        title=_("By whom merchants came"),
        intro=_(
            "One proposal for the whole list; another person decides on exactly this list. It holds"
            " from the decision on: who brought a merchant before stays in its history."
        ),
        button=_("Propose"),
        form=form,
        run=run,
        onward=reverse("admin:merchants_merchant_changelist"),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def parents_page(request: HttpRequest) -> HttpResponse:
    """Propose whom a list of agents works for; another person decides on the list. Rule: AGT-4."""
    maker = _require_right(request)
    form = ParentsForm(request.POST if request.method == "POST" else None)

    def run(values: dict[str, Any]) -> str:
        agents.propose_parents(
            numbers=_BETWEEN.split(values["agents"]), parent=values["parent"],
            reason=values["reason"], maker=maker, at=clock.now(),
        )  # fmt: skip
        return _proposed()

    return form_page.serve(
        request,
        title=_("Put agents below another"),
        intro=_("One proposal for the whole list; another person decides on exactly this list."),
        button=_("Propose"),
        form=form,
        run=run,
        onward=reverse("admin:merchants_agent_changelist"),
    )


def chain_of(row: Agent) -> list[selectors.Link]:
    """Return an agent and those above it, the topmost first, as pages show it."""
    return list(reversed(selectors.chain(row.pk)))


def fill(site: Any = admin.site) -> None:
    """Give the pages their addresses in the admin."""
    site.add_page("merchants/agent/propose/", new_page, NEW)
    site.add_page("merchants/agent/<int:object_id>/edit/", edit_page, EDIT)
    site.add_page("merchants/agent/assign/", assign_page, ASSIGN)
    site.add_page("merchants/agent/parents/", parents_page, PARENTS)
    agent_import.fill(site)
