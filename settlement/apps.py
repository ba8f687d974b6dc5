"""Start-up of the `settlement` package: registries are filled here, never at import."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SettlementConfig(AppConfig):
    """The `settlement` floor of the house (docs/decisions/0001-rooms.md)."""

    name = "settlement"
    verbose_name = _("Settlement")
