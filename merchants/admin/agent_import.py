"""The agents of an import that is proposed or was decided on."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from foundation.models import Approval
from foundation.selectors.house import house_id
from merchants.models import Agent
from merchants.services import agent_sheet


@require_safe
def list_page(request: HttpRequest, approval_id: int) -> HttpResponse:
    """Show the whole list of a proposal, and which of it are agents now."""
    row = Approval.objects.filter(
        merchant_id=house_id(), id=approval_id, action=agent_sheet.IMPORT
    ).first()
    if row is None:
        raise Http404
    rows = agent_sheet.rows_of(row)
    there = dict(
        Agent.objects.filter(number__in=[cells[0] for cells in rows]).values_list("number", "id")
    )
    context = {
        **admin.site.each_context(request),
        "title": agent_sheet.ACTION.describe(row),
        "approval": row,
        "columns": agent_sheet.COLUMNS,
        "rows": [(cells, there.get(cells[0])) for cells in rows],
    }
    return TemplateResponse(request, "admin/agents_taken.html", context)


def fill(site: Any = admin.site) -> None:
    """Give the page its address in the admin."""
    site.add_page("merchants/agent/taken/<int:approval_id>/", list_page, "merchants_agent_taken")
