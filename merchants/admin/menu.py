"""What `merchants` puts into the admin: its screens and the lines of the menu."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from foundation import registries
from foundation.admin import menu


def fill() -> None:
    """Register the package's screens. Called by `ready()`."""
    from merchants.admin import (
        act,
        agent,
        agent_propose,
        api_key,
        application,
        application_people,
        application_review,
        bank_account,
        capability,
        confirmation,
        document,
        invitation,
        link,
        membership,
        merchant,
        merchant_contact,
        merchant_emergency,
        merchant_import,
        merchant_state,
        paper,
        partner_grant,
        verification,
        webhook_delivery,
        webhook_endpoint,
    )

    document.fill()
    admin.site.add_page(  # type: ignore[attr-defined]
        "merchants/verificationrule/propose/", verification.propose_page, verification.PROPOSE
    )
    for noun in (agent_propose, application, application_people, application_review, capability,
                 confirmation, link, merchant_state, merchant_emergency,
                 merchant_import):  # fmt: skip
        noun.fill()
    _offer()
    nouns = (
        application,
        application_people,
        merchant,
        agent,
        merchant_emergency,
        merchant_contact,
        paper,
        bank_account,
        membership,
        confirmation,
        invitation,
        api_key,
        partner_grant,
        webhook_endpoint,
        webhook_delivery,
        verification,
    )
    menu.register(_("Merchants"), [line for noun in nouns for line in noun.MENU])
    registries.name_acts(act.ACTS)


def _offer() -> None:
    """Offer what waits for a person, and what can be found."""
    from merchants.admin import merchant_emergency, paper, search, work_items

    registries.work_items.register("merchants.emergency", merchant_emergency.undecided)
    registries.work_items.register("merchants.damaged_papers", work_items.damaged_papers)
    registries.work_items.register("merchants.shares", work_items.shares_with_stopped)
    registries.work_items.register("merchants.to_call", work_items.to_call)
    registries.work_items.register("merchants.to_review", work_items.to_review)
    registries.work_items.register("merchants.in_review", work_items.in_review)
    registries.work_items.register("merchants.to_verify", work_items.to_verify)
    registries.work_items.register("merchants.to_complete", work_items.to_complete)
    registries.work_items.register("merchants.papers_over", paper.grace_over)
    registries.work_items.register("merchants.papers_ending", paper.ending_soon)
    registries.work_items.register("merchants.re_reviews", paper.to_look_at_again)
    registries.search_providers.register("merchants", search.find)
    registries.search_providers.register("merchants.applications", search.find_applications)
    registries.search_providers.register("merchants.agents", search.find_agents)
