"""What brought facts in, and the chunks they are cleared in."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from channels.models import Chunk, Intake
from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin
from foundation.registries import TrailStep

MENU = [
    ("channels_intake_changelist", _("Intakes"), "upload_file", "channels.view_intake"),
    ("channels_chunk_changelist", _("Clearing chunks"), "grid_view", "channels.view_chunk"),
]
COLOURS = {"NEW": "info", "DONE": "success"}


@admin.register(Intake)
class IntakeAdmin(KeysetAdmin):
    """Files and calls, latest first."""

    labels = {"sha256": _("hash of the content")}
    list_display = ("id", "kind", "name", "rows", "stored", "received_at", "actor")


@admin.register(Chunk)
class ChunkAdmin(KeysetAdmin):
    """Chunks, latest first."""

    list_display = (
        "id",
        "kind",
        columns.plain("intake", _("intake")),
        "facts",
        columns.state("state", _("state"), COLOURS),
        "created_at",
        "cleared_at",
    )
    list_select_related = ("intake",)
    labels = {"intake": _("intake"), "from_id": _("first fact"), "to_id": _("last fact")}
    list_filter = (
        filters.choices(
            "state",
            _("state"),
            {"new": filters.Choice(_("not cleared"), Q(state="NEW"), Keyset("kind", "id"))},
        ),
    )


def of_chunk(*, merchant_id: int, source_id: str) -> TrailStep | None:
    """Return the chunk that an entry of clearing books: `<chunk>:<currency>`."""
    chunk_id = source_id.partition(":")[0]
    address = reverse("admin:channels_chunk_change", args=[chunk_id])
    return TrailStep(gettext("clearing chunk %(number)s") % {"number": chunk_id}, address)
