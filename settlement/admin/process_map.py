"""The process map as a page: each stage, who may, what it produces, what is owed, by when."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from settlement.processes import chart as process_map

MENU = [("settlement_processes", gettext_lazy("Processes"), "schema", "")]


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show every process; made from the code, so it cannot differ from what is enforced."""
    context = {
        **admin.site.each_context(request),
        "title": _("Processes"),
        "charts": process_map.charts(),
    }
    return TemplateResponse(request, "admin/process_map.html", context)
