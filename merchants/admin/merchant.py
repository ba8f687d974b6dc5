"""Merchants."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from foundation import registries
from foundation.admin import columns, filters, related, waiting
from foundation.admin.file_export import Exchanged
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from foundation.registries import MerchantBox
from merchants.admin import (
    agent,
    agent_propose,
    application_change,
    capability,
    link,
    merchant_emergency,
    merchant_state,
    paper,
)
from merchants.models import Merchant
from merchants.selectors import agent as agents
from merchants.selectors import application as applications
from merchants.selectors import application_change as application_changes
from merchants.selectors import contract as contracts
from merchants.selectors import merchant_state as states

MENU = [("merchants_merchant_changelist", _("Merchants"), "storefront", "merchants.view_merchant")]
MENU += merchant_state.MENU
COLOURS = {
    "ACTIVE": "success",
    "RESTRICTED": "warning",
    "FROZEN": "danger",
    "CLOSING": "warning",
    "CLOSED": "info",
}


def _subjects(row: Merchant) -> list[str]:
    """Return what proposals call a merchant, and the change of it that is under way."""
    change = application_changes.open_change(row)
    about = [] if change is None else [f"application:{change.number}"]
    return [*waiting.subjects_of(row), *about, *states.named_in(row)]


def _boxed(box: MerchantBox) -> columns.Column:
    @admin.display(description=box.title)  # type: ignore[arg-type]
    def show(row: Merchant) -> str:
        return box.render(row)

    return show


@admin.register(Merchant)
class MerchantAdmin(Exchanged, KeysetAdmin):
    """Merchants by number. They come in by application, proposal or `import_merchants`."""

    exchange = "merchants"
    approval_subjects = staticmethod(_subjects)
    keyset = Keyset("merchant_no")
    searches = (Search("merchant_no", prefix=True),)
    search_help_text = _("Merchant number, from its beginning")
    list_display = (
        "merchant_no",
        "name",
        "city",
        columns.state("status", _("status"), COLOURS),
        "declared_schedule",
        "created_at",
    )
    list_filter = (
        filters.states("status", _("status"), Merchant.Status.choices),
        capability.MAY_NOT,
        agent.below("agent", _("agent number, with all below it")),
    )

    hidden = ("status_sequence", "agent", "stands_on")
    steps = (*application_change.STEPS, *merchant_state.STEPS, merchant_emergency.STEP)
    actions = ("move_chosen", "assign_chosen")  # type: ignore[assignment]

    @admin.action(description=_("Freeze, restrict, restore …"), permissions=["move"])
    def move_chosen(self, request: HttpRequest, chosen: QuerySet[Merchant]) -> HttpResponse:
        """Go to the form that proposes, with the merchants chosen; nothing is done here."""
        keys = ",".join(str(key) for key in chosen.values_list("pk", flat=True)[:200])
        return HttpResponseRedirect(f"{reverse('admin:' + merchant_state.PROPOSE)}?chosen={keys}")

    @admin.action(description=_("By whom they came …"), permissions=["assign"])
    def assign_chosen(self, request: HttpRequest, chosen: QuerySet[Merchant]) -> HttpResponse:
        """Go to the form that proposes an agent, with the merchants chosen."""
        keys = ",".join(str(key) for key in chosen.values_list("pk", flat=True)[:200])
        return HttpResponseRedirect(f"{reverse('admin:' + agent_propose.ASSIGN)}?chosen={keys}")

    def has_assign_permission(self, request: HttpRequest) -> bool:
        """Return whether the reader may propose by whom merchants came."""
        return request.user.has_perm(agent_propose.RIGHT)

    def has_move_permission(self, request: HttpRequest) -> bool:
        """Return whether the reader may propose to move merchants."""
        return request.user.has_perm(merchant_state.RIGHT)

    @admin.display(description=_("what it may do"))
    def may(self, row: Merchant) -> str:
        """Show what was taken from it, and what it may do."""
        return capability.of_merchant(row) if row.kind == Merchant.Kind.MERCHANT else "–"

    @admin.display(description=_("moves"))
    def moves(self, row: Merchant) -> str:
        """Show how the merchant came to where it stands."""
        return merchant_state.history(row)

    def get_fields(self, request: HttpRequest, obj: Merchant | None = None) -> list[Any]:
        """
        Add who brought it, what was agreed on (S0-09, S1-13), its papers, what higher floors know
        of it, and the moves.
        """
        boxes = [
            _boxed(box)
            for box in registries.merchant_boxes
            if request.user.has_perm(box.permission)
        ]
        own = [*super().get_fields(request, obj), "brought", "agreed", "papers"]
        return [*own, *boxes, "may", "moves"]

    @admin.display(description=_("papers and their ends"))
    def papers(self, row: Merchant) -> str:
        """Show what is due of it, by when, why, and what follows."""
        return paper.of_merchant(row)

    @admin.display(description=_("brought by"))
    def brought(self, row: Merchant) -> str:
        """Show the agent it came by below those above it, and by whom it came before."""
        links = [] if row.agent_id is None else list(reversed(agents.chain(row.agent_id)))
        context = {"links": links, "lines": agents.history(row.pk)}
        return render_to_string("admin/merchant_agents.html", context)

    @admin.display(description=_("agreed in its application"))
    def agreed(self, row: Merchant) -> str:
        """Say under which contract and risk grade, and who answers for what."""
        application = applications.of_merchant(row)
        if application is None:
            return "–"
        return render_to_string(
            "admin/merchant_agreed.html",
            {"application": application, "grade": applications.grade(application)},
        )

    def related_links(self, request: HttpRequest, row: Merchant) -> list[related.Link]:
        """Lead to its applications, and to everything of this merchant."""
        modules = contracts.modules_of(row.pk)
        found = related.of_merchant(
            request, row.merchant_no, lambda label: contracts.opens_list(label, modules)
        )
        if row.kind == Merchant.Kind.MERCHANT:
            found[:0] = [
                *related.page(request, "settlement_closing", row.pk, _("Closing")),
                *related.page(
                    request,
                    "channels_registration_request",
                    row.pk,
                    _("Register with channels"),
                ),
                *related.page(request, capability.PAGE, row.pk, _("What a merchant may do")),
                *related.page(request, link.PAGE, row.pk, _("Links with others")),
            ]
        return [*application_change.links(request, row), *found]
