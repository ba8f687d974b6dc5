"""Who is answerable: merchants by who brought, reviewed and approved them (S0-03)."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe
from unfold.widgets import UnfoldAdminSingleDateWidget

from foundation.admin.file_export import export_links
from foundation.models import User
from merchants.selectors import application_person
from merchants.services import agent_report
from merchants.services import application_person as person_report

MENU = [
    (
        "application_people",
        gettext_lazy("Merchants by person"),
        "how_to_reg",
        "merchants.view_application",
    )
]


class SpanForm(forms.Form):
    """From when to when merchants were taken on."""

    first = forms.DateField(
        label=gettext_lazy("taken on from"),
        required=False,
        widget=UnfoldAdminSingleDateWidget(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
        validators=[MinValueValidator(date(1970, 1, 1)), MaxValueValidator(date(2999, 12, 31))],
    )
    last = forms.DateField(
        label=gettext_lazy("taken on until"),
        required=False,
        widget=UnfoldAdminSingleDateWidget(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
        validators=[MinValueValidator(date(1970, 1, 1)), MaxValueValidator(date(2999, 12, 31))],
    )


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show each person's figures, and of one person the merchants that were frozen later."""
    if not request.user.has_perm("merchants.view_application"):
        raise PermissionDenied
    try:
        person = str(UUID(request.GET.get("person", "")))
    except ValueError:
        person = ""
    agent = request.GET.get("agent", "")
    agent_id = int(agent) if re.fullmatch("[0-9]{1,18}", agent) else 0
    form = SpanForm(request.GET or None)
    given = form.cleaned_data if form.is_valid() else {}
    span = application_person.Span(given.get("first"), given.get("last"))
    labels = {
        "brought_by": _("brought"),
        "first_reviewer": _("first review"),
        "second_reviewer": _("approval"),
    }
    context = {
        **admin.site.each_context(request),
        "title": _("Merchants by person"),
        "form": form,
        "days": urlencode({name: day.isoformat() for name, day in given.items() if day}),
        "rows": [(labels[one.part], one) for one in application_person.parts(span)],
        "agents": application_person.agents(span),
        "most": application_person.MOST,
        "export": export_links(cast(User, request.user), agent_report.EXPORTABLE.name),
        "export_people": export_links(cast(User, request.user), person_report.EXPORTABLE.name),
        "person": person,
        "frozen": application_person.frozen_by(person, span) if person else [],
        "agent_id": agent_id,
        "of_agent": application_person.frozen_of_agent(agent_id, span) if agent_id else [],
    }
    return TemplateResponse(request, "admin/application_people.html", context)


def fill(site: Any = admin.site) -> None:
    """Give the page its address in the admin."""
    site.add_page("merchants/application/people", page, "application_people")
