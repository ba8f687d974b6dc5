"""The order of the inbox: what has its effect already leads, the rest follows by its end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db.models import prefetch_related_objects
from django.http import HttpRequest

from foundation import clock, registries
from foundation.admin import columns
from foundation.admin.keyset import Keyset, KeysetChangeList
from foundation.models import Approval

SOONEST: Final = Keyset("expires_at", "id")  # of the open ones, by the partial index approval_open
MOST: Final = 50  # that lead; any more stand at the end, by their own
_FAR: Final = timedelta(days=366)  # no ordinary proposal ends as late


class InboxChangeList(KeysetChangeList):
    """
    A list of proposals; of the open ones those that never end by themselves come first.

    `states` are the choices of the filter by state, which stand above the list.
    """

    states: list[Any]

    def get_results(self, request: HttpRequest) -> None:
        """Read one page; the first one begins with what leads, oldest first."""
        leading = self._leading() if self._keyset() is SOONEST else []
        if leading:
            self.queryset = self.queryset.exclude(id__in=[row.id for row in leading])
        super().get_results(request)
        by_state = (
            one for one in self.filter_specs if getattr(one, "parameter_name", "") == "state"
        )
        self.states = [choice for one in by_state for choice in one.choices(self)]
        if leading and not self.previous_url:
            relations: Any = self.list_select_related or ()
            prefetch_related_objects(leading, *relations)
            columns.call_people(leading)
            self.result_list = [*leading, *self.result_list]
            self.result_count = self.full_result_count = len(self.result_list)

    def _leading(self) -> list[Approval]:
        """Read them from the far end of the index alone, however many others are open."""
        far = self.queryset.filter(
            action__in=registries.leading_kinds(), expires_at__gt=clock.now() + _FAR
        )
        return list(far.order_by(*SOONEST.ordering())[:MOST])
