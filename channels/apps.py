"""Start-up of the `channels` package: registries are filled here, never at import."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ChannelsConfig(AppConfig):
    """The `channels` floor of the house (docs/decisions/0001-rooms.md)."""

    name = "channels"
    verbose_name = _("Channels")
