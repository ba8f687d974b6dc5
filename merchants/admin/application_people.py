"""Who is answerable: merchants by who brought, reviewed and approved them (S0-03)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from merchants.selectors import application_person

MENU = [
    (
        "application_people",
        gettext_lazy("Merchants by person"),
        "how_to_reg",
        "merchants.view_application",
    )
]


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show each person's figures, and of one person the merchants that were frozen later."""
    if not request.user.has_perm("merchants.view_application"):
        raise PermissionDenied
    try:
        person = str(UUID(request.GET.get("person", "")))
    except ValueError:
        person = ""
    labels = {
        "brought_by": _("brought"),
        "first_reviewer": _("first review"),
        "second_reviewer": _("approval"),
    }
    context = {
        **admin.site.each_context(request),
        "title": _("Merchants by person"),
        "rows": [(labels[one.part], one) for one in application_person.parts()],
        "person": person,
        "frozen": application_person.frozen_by(person) if person else [],
    }
    return TemplateResponse(request, "admin/application_people.html", context)


def fill(site: Any = admin.site) -> None:
    """Give the page its address in the admin."""
    site.add_page("merchants/application/people", page, "application_people")
