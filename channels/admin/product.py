"""Products and channels."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from channels.admin import channel_terms
from channels.models import Channel, Product, ReviewState
from foundation.admin import columns, filters
from foundation.admin.readonly import ReadOnlyAdmin
from foundation.admin.related import Link, Related
from foundation.admin.related import page as page_of

MENU = [
    ("channels_product_changelist", _("Products"), "shopping_bag", "channels.view_product"),
    ("channels_channel_changelist", _("Channels"), "hub", "channels.view_channel"),
]
REGISTERS = columns.named("registers", _("registers for"), ", ".join)
COLOURS = {"UNREVIEWED": "warning", "REVIEWED": "success"}


@admin.register(Product)
class ProductAdmin(ReadOnlyAdmin):
    """What is sold; a file may bring a new code in."""

    list_display = (
        "code",
        "name",
        columns.state("review_state", _("review"), COLOURS),
        "created_at",
    )
    list_filter = (filters.states("review_state", _("review"), ReviewState.choices),)
    ordering = ("code",)


@admin.register(Channel)
class ChannelAdmin(ReadOnlyAdmin):
    """Through whom, for what it registers merchants, and who answers for what (S0-09)."""

    list_display = (
        "code",
        "name",
        columns.state("review_state", _("review"), COLOURS),
        REGISTERS,
        "reviewed_by_whom",
        "settled_by_whom",
        "loss_borne_by",
        "created_at",
    )
    list_filter = (filters.states("review_state", _("review"), ReviewState.choices),)
    ordering = ("code",)
    related = (
        Related(
            "channels_registration_changelist",
            _("Channel registrations"),
            lambda row: {"channel": row.code},
            "channels.view_registration",
        ),
    )
    shown = {"registers": REGISTERS}
    hidden = ("terms_approval_id",)

    def related_links(self, request: HttpRequest, row: Channel) -> list[Link]:
        """Add where its terms are proposed, and its registrations."""
        terms = page_of(request, channel_terms.PAGE, row.pk, _("Propose other terms"))
        return [*terms, *super().related_links(request, row)]
