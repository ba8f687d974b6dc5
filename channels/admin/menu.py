"""What `channels` puts into the admin: its screens, lines of the menu and queues."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from foundation import registries
from foundation.admin import menu


def fill() -> None:
    """Register the package's screens. Called by `ready()`."""
    from channels.admin import (
        act,
        channel_terms,
        fee_rule,
        intake,
        payment,
        product,
        refund,
        registration,
        registration_request,
        sample,
        search,
        work_items,
    )

    registries.name_acts(act.ACTS)
    nouns = (payment, refund, registration, fee_rule, product, intake)
    menu.register(_("Channels"), [line for noun in nouns for line in noun.MENU])
    registries.fact_pages.register("refund", "channels_refund_change")
    for cause in ("clearing", "refund"):
        registries.trail_providers.register(cause, intake.of_chunk)
    registries.sample_sources.register("payments", sample.PAYMENTS)
    registries.search_providers.register("channels", search.find)
    registries.work_items.register("channels.unpriced", work_items.unpriced)
    registries.work_items.register("channels.unreviewed", work_items.unreviewed)
    registries.work_items.register("channels.to_submit", registration.to_submit)
    registries.work_items.register("channels.unanswered", registration.unanswered)
    registries.work_items.register("channels.outdated", registration.outdated)
    registries.merchant_boxes.register("channels.registrations", registration.BOX)
    registration_request.fill()
    channel_terms.fill()
