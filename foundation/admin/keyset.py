"""
The one change list for tables that grow: a cursor in the URL, no OFFSET, no count(*).

A list declares the indexed orders it may be read in and the indexed columns it may be searched by;
nothing else reaches the database, so a page costs the same at any depth (docs/rules/admin.md).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured, ValidationError
from django.core.paginator import Paginator
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import F, Field, Model, QuerySet, prefetch_related_objects
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.http import HttpRequest
from django.utils.translation import gettext as _

from foundation.admin import columns
from foundation.admin.readonly import ReadOnlyAdmin
from foundation.admin.theme import ChangeList

AFTER: Final = "after"
BEFORE: Final = "before"
MAX_CURSOR: Final = 500  # characters; ours are far shorter


class CursorMalformed(Exception):
    """The cursor in the URL is not one of ours for this list."""


class Keyset:
    """
    An order that an index gives: columns of one direction, the last of them unique in the table.

    Raises ImproperlyConfigured when directions are mixed or a column may be empty, because a
    comparison of rows (`(a, b) < (x, y)`) would then skip rows.
    """

    def __init__(self, *columns: str) -> None:
        self.descending = columns[0].startswith("-")
        if any(column.startswith("-") != self.descending for column in columns):
            raise ImproperlyConfigured(f"{columns} mixes directions.")
        self.columns = tuple(column.removeprefix("-") for column in columns)

    def fields(self, model: type[Model]) -> list[Field[Any, Any]]:
        """Return the columns' fields. Raises ImproperlyConfigured when one may be empty."""
        found = [self._field(model, column) for column in self.columns]
        for field in found:
            if field.null:
                raise ImproperlyConfigured(f"{field} may be empty and cannot order a keyset.")
        return found

    def ordering(self, *, backwards: bool = False) -> list[str]:
        """Return the ORDER BY, for the page after or before a cursor."""
        sign = "-" if self.descending != backwards else ""
        return [sign + column for column in self.columns]

    def beyond(
        self, rows: QuerySet[Any], cursor: Sequence[Any], *, backwards: bool
    ) -> QuerySet[Any]:
        """Return the rows past the cursor, by one row comparison that an index answers."""
        compare: Any = TupleLessThan if self.descending != backwards else TupleGreaterThan
        return rows.filter(compare(Tuple(*map(F, self.columns)), tuple(cursor)))

    def encode(self, row: Model) -> str:
        """Return the cursor of a row."""
        fields = self.fields(type(row))
        values = [getattr(row, field.attname) for field in fields]
        text = json.dumps(values, cls=_Exact, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def decode(self, model: type[Model], text: str) -> list[Any]:
        """Return the values of a cursor. Raises CursorMalformed."""
        fields = self.fields(model)
        try:
            if len(text) > MAX_CURSOR:
                raise ValueError("too long")
            padded = text + "=" * (-len(text) % 4)
            values = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
            if not isinstance(values, list) or len(values) != len(fields):
                raise ValueError("other columns")
            pairs = zip(fields, values, strict=True)
            return [self._value(field, value) for field, value in pairs]
        except (ValueError, TypeError, ValidationError, OverflowError, RecursionError) as error:
            raise CursorMalformed(str(error)) from error

    @staticmethod
    def _value(field: Field[Any, Any], value: Any) -> Any:
        target = getattr(field, "target_field", field)
        if value is None or isinstance(value, (list, dict, bool)):
            raise ValueError("not a key")
        exact = target.to_python(value)
        if isinstance(exact, str) and "\0" in exact:
            raise ValueError("not a text")
        target.run_validators(exact)  # an integer beyond its column never reaches the database
        return exact

    @staticmethod
    def _field(model: type[Model], column: str) -> Field[Any, Any]:
        for field in model._meta.concrete_fields:
            if column in (field.name, field.attname):
                return field
        raise FieldDoesNotExist(f"{model.__name__} has no column {column}.")


class _Exact(DjangoJSONEncoder):
    """Instants keep their microseconds: a cursor must be the row's own key, not near it."""

    def default(self, o: Any) -> Any:
        return o.isoformat() if hasattr(o, "isoformat") else super().default(o)


@dataclass(frozen=True, slots=True)
class Search:
    """
    A column that may be searched, exactly or by its beginning.

    `in_book`: its index begins with the merchant, so one must be chosen first, or `book_of` must
    read his routing number out of the text (None when it is not such a number).
    """

    column: str
    prefix: bool = False
    in_book: bool = False
    book_of: Callable[[str], int | None] | None = None


class KeysetPaginator(Paginator):  # type: ignore[type-arg]
    """Satisfies the admin's templates; it never counts."""

    template_name = "admin/keyset/pagination.html"

    @property
    def count(self) -> int:
        """Nobody knows how many there are, and nobody asks."""
        return 0


class KeysetChangeList(ChangeList):
    """A page of a keyset, with the cursors of its neighbours."""

    previous_url: str = ""
    next_url: str = ""
    first_url: str = ""

    def get_filters_params(self, params: Any = None) -> Any:
        """Leave the cursor out of what becomes a lookup."""
        found = super().get_filters_params(params)
        return {key: value for key, value in found.items() if key not in (AFTER, BEFORE)}

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Return the declared order; the URL cannot ask for another one."""
        return self._keyset().ordering()

    def get_ordering_field_columns(self) -> Any:
        """No column can be sorted by a click: only declared orders have an index."""
        return {}

    def apply_select_related(self, qs: QuerySet[Any]) -> QuerySet[Any]:
        """Join nothing: a join may turn the walk along the index into a sort of the whole book."""
        return qs

    def get_results(self, request: HttpRequest) -> None:
        """Read one page and the row after it."""
        keyset = self._keyset()
        backwards = BEFORE in request.GET
        text = request.GET.get(BEFORE if backwards else AFTER, "")
        rows = self.queryset.order_by(*keyset.ordering(backwards=backwards))
        if text:
            rows = keyset.beyond(rows, self._cursor(request, text), backwards=backwards)
        found = list(rows[: self.list_per_page + 1])
        more = len(found) > self.list_per_page
        page = found[: self.list_per_page]
        if backwards:
            page.reverse()
        relations: Any = self.list_select_related or ()
        prefetch_related_objects(page, *relations)
        columns.call_people(page)
        for name in (AFTER, BEFORE):  # links of filters begin at the first page again
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        self.result_list = page
        self._link(keyset, page, before=more if backwards else bool(text), after=backwards or more)
        self.result_count = len(page)
        self.full_result_count = len(page)  # the page says no total, because nobody knows it
        self.show_full_result_count = False
        self.show_admin_actions = bool(page)
        self.can_show_all = False
        self.multi_page = bool(self.previous_url or self.next_url)
        self.paginator = KeysetPaginator(page, self.list_per_page)

    def _link(self, keyset: Keyset, page: list[Any], *, before: bool, after: bool) -> None:
        self.first_url = self.get_query_string()
        if page and before:
            self.previous_url = self.get_query_string({BEFORE: keyset.encode(page[0])})
        if page and after:
            self.next_url = self.get_query_string({AFTER: keyset.encode(page[-1])})

    def _cursor(self, request: HttpRequest, text: str) -> list[Any]:
        try:
            return self._keyset().decode(self.model, text)
        except CursorMalformed as refusal:
            messages.error(request, _("The address names no place in this list: from the top."))
            raise IncorrectLookupParameters from refusal

    def _keyset(self) -> Keyset:
        """Return the order of the first active filter that has one, else the list's own."""
        for spec in getattr(self, "filter_specs", ()):
            declared = getattr(spec, "keyset", lambda: None)()
            if declared is not None:
                return declared  # type: ignore[no-any-return]
        return self.model_admin.keyset  # type: ignore[no-any-return,attr-defined]


class KeysetAdmin(ReadOnlyAdmin):
    """
    A read-only list of a table that grows.

    `keyset` is its order, `searches` the columns its search box asks, one after the other. What
    `list_select_related` names is read for the page's rows in one statement each, never joined.
    """

    keyset = Keyset("-id")
    searches: tuple[Search, ...] = ()
    list_per_page = 50
    show_full_result_count = False
    show_facets = ShowFacets.NEVER  # each would count the whole table
    sortable_by = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the keyset list."""
        return KeysetChangeList

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """Name what can be searched, so that the box is shown where there is something."""
        return [search.column for search in self.searches]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """
        Return the rows of the first declared column that knows the text.

        One short statement per column: an OR over several indexes may be read without any of them.
        """
        text = search_term.strip()
        if not text or not self.searches:
            return queryset, False
        if "\0" in text:
            return queryset.none(), False
        chosen = "merchant_no" in request.GET
        books = [search.book_of(text) if search.book_of else None for search in self.searches]
        if not chosen and not any(books) and all(search.in_book for search in self.searches):
            messages.warning(request, _("Choose a merchant first: each one has its own numbers."))
            return queryset.none(), False
        for search, book in zip(self.searches, books, strict=True):
            if search.in_book and not chosen and book is None:
                continue
            lookup = f"{search.column}__startswith" if search.prefix else search.column
            within = {} if book is None else {"merchant": book}
            try:
                found = queryset.filter(**{lookup: text}, **within)
            except (ValueError, ValidationError):  # text where the column is a number
                continue
            if found.order_by()[:1].exists():
                return found, False
        return queryset.none(), False
