"""Start-up of the `foundation` package: registries are filled here, never at import."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FoundationConfig(AppConfig):
    """The `foundation` floor of the house (docs/decisions/0001-rooms.md)."""

    name = "foundation"
    verbose_name = _("Foundation")
