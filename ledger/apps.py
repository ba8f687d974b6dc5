"""Start-up of the `ledger` package: registries are filled here, never at import."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LedgerConfig(AppConfig):
    """The `ledger` floor of the house (docs/decisions/0001-rooms.md)."""

    name = "ledger"
    verbose_name = _("Ledger")
