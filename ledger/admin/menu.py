"""What `ledger` puts into the admin: its screens and the lines of the menu."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from foundation import registries
from foundation.admin import menu


def fill() -> None:
    """Register the package's screens. Called by `ready()`."""
    from ledger.admin import account, act, chart, figures, hold, journal, trial_balance

    registries.name_acts(act.ACTS)
    admin.site.add_page(  # type: ignore[attr-defined]
        "ledger/trial-balance/", trial_balance.page, "ledger_trial_balance"
    )
    nouns = (account, journal, hold, trial_balance, chart)
    menu.register(_("Ledger"), [line for noun in nouns for line in noun.MENU])
    registries.overview_panels.register("ledger.money", figures.money)
