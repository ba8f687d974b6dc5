"""Pages by key: where a page ends is sealed into an opaque cursor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from django.core import signing
from django.utils.translation import gettext as _

from config.errors import Malformed

T = TypeVar("T")
Place = Sequence[int | str]
_SALT: Final = "foundation.api.cursor"


class CursorInvalid(Malformed):
    """The cursor is not one of this list: of another book, with other filters, or made up."""

    code = "cursor_invalid"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list, and the cursor of the next page; None at the end."""

    items: list[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """
    One list of one book under certain filters: a cursor of it opens no other. Rule: API-4.
    """

    noun: str
    merchant_id: int
    filters: Mapping[str, object]

    def place(self, cursor: str | None) -> Place | None:
        """Return where the page before ended; None begins at the top. Raises CursorInvalid."""
        if not cursor:
            return None
        try:
            found: Place = self._signer.unsign_object(cursor)
        except signing.BadSignature:
            raise CursorInvalid(_("This cursor is not of this list."), field="cursor") from None
        return found

    def page(self, found: Sequence[T], limit: int, key: Callable[[T], Place]) -> Page[T]:
        """Make a page of up to `limit` + 1 rows found: the last one only says that more follow."""
        shown = list(found[:limit])
        more = len(found) > limit
        return Page(shown, self._signer.sign_object(list(key(shown[-1]))) if more else None)

    @property
    def _signer(self) -> signing.Signer:
        filters = ",".join(f"{name}={self.filters[name]!r}" for name in sorted(self.filters))
        return signing.Signer(salt=f"{_SALT}:{self.noun}:{self.merchant_id}:{filters}")


def filters_of(params: Mapping[str, Any]) -> dict[str, object]:
    """Return what of a query chooses rows: all but the page itself and the book."""
    page = {"limit", "cursor", "merchant_no"}
    return {name: str(value) for name, value in params.items() if name not in page}


def instant_and_id(place: Place | None) -> tuple[datetime, int] | None:
    """Read a place that is a time and a row id; None stays None."""
    return None if place is None else (datetime.fromisoformat(str(place[0])), int(place[1]))
