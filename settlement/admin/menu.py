"""What `settlement` puts into the admin: its screens, lines of the menu, queues and figures."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from foundation import registries
from foundation.admin import menu


def fill() -> None:
    """Register the package's screens. Called by `ready()`."""
    from settlement.admin import (
        act,
        closing,
        due,
        figures,
        item,
        payment_trail,
        payout,
        process_map,
        reference,
        run,
        sample,
        search,
        trail,
        withdrawal,
        work_items,
    )

    registries.name_acts(act.ACTS)
    admin.site.add_page(  # type: ignore[attr-defined]
        "payments/<int:payment_id>/trail/", payment_trail.page, "settlement_payment_trail"
    )
    admin.site.add_page(  # type: ignore[attr-defined]
        "settlement/release/", due.release_page, "settlement_release"
    )
    admin.site.add_page(  # type: ignore[attr-defined]
        "processes/", process_map.page, "settlement_processes"
    )
    admin.site.add_page(  # type: ignore[attr-defined]
        "settlement/closing/", closing.list_page, "settlement_closings"
    )
    admin.site.add_page(  # type: ignore[attr-defined]
        "settlement/closing/<int:merchant_id>/", closing.page, "settlement_closing"
    )
    menu.register(
        _("Settlement"), [*run.MENU, *item.MENU, *due.MENU, *closing.MENU, *process_map.MENU]
    )
    menu.register(_("Payouts"), [*withdrawal.MENU, *payout.MENU, *reference.MENU])
    registries.sample_sources.register("payouts", sample.PAYOUTS)
    registries.overview_panels.register("settlement.run", figures.latest_run)
    for cause, provider in trail.PROVIDERS.items():
        registries.trail_providers.register(cause, provider)
    for fact, url_name in trail.FACT_PAGES.items():
        registries.fact_pages.register(fact, url_name)
    registries.search_providers.register("settlement", search.find)
    for name, queue in work_items.QUEUES.items():
        registries.work_items.register(name, queue)
