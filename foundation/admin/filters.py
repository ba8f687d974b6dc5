"""Filters that an index answers: by merchant, and by declared choices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminTextInputWidget

from foundation.admin.keyset import Keyset
from foundation.admin.related import MERCHANT
from foundation.models import Fact

Text = str | Promise
MAX_TEXT = 100


class TypedFilter(SimpleListFilter):
    """A filter that a person types into: exact, on the column `lookup`, which has an index."""

    template = "admin/keyset/typed_filter.html"
    lookup: ClassVar[str]
    order: ClassVar[Keyset | None] = None
    date: ClassVar[bool] = False
    in_book: ClassVar[bool] = False  # its index begins with the merchant

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Nothing to choose from: it is typed."""
        return []

    def has_output(self) -> bool:
        """It is always shown."""
        return True

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Give the template its form."""
        widget = UnfoldAdminDateWidget() if self.date else UnfoldAdminTextInputWidget()
        field = forms.CharField(
            label=self.title, required=False, widget=widget, max_length=MAX_TEXT
        )
        form = forms.Form(data={str(self.parameter_name): self.value()}, auto_id="filter-%s")
        form.fields[str(self.parameter_name)] = field
        yield {"form": form}

    def text(self) -> str:
        """Return what was typed, "" for nothing."""
        return str(self.value() or "").strip()

    def keyset(self) -> Keyset | None:
        """Return the order that an index gives under this filter."""
        return self.order if self.text() else None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows with exactly this value; what cannot be one has none."""
        text = self.text()
        if not text:
            return queryset
        if self.in_book and not request.GET.get(MERCHANT, "").strip():
            messages.warning(request, _("Choose a merchant first: each one has its own numbers."))
            return queryset.none()
        try:
            field = queryset.model._meta.get_field(self.lookup)
            value = getattr(field, "target_field", field).to_python(text)
            if "\0" in text:
                return queryset.none()
            getattr(field, "target_field", field).run_validators(value)
        except forms.ValidationError:
            return queryset.none()
        return queryset.filter(**{self.lookup: value})


class MerchantFilter(TypedFilter):
    """By merchant number. Every fact belongs to one merchant, and its indexes begin with it."""

    title = _("merchant number")
    parameter_name = MERCHANT
    lookup = "merchant"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the merchant's rows."""
        text = self.text()
        if not text:
            return queryset
        merchants: Any = Fact._meta.apps.get_model("merchants", "Merchant")
        found = merchants.objects.filter(merchant_no=text.replace("\0", ""))
        merchant_id = found.values_list("id", flat=True).first()
        return queryset.none() if merchant_id is None else queryset.filter(merchant=merchant_id)


def merchant(*order: str) -> type[MerchantFilter]:
    """Return the merchant filter, with the order an index gives within one merchant's rows."""
    keyset = Keyset(*order) if order else None
    return type("MerchantFilter", (MerchantFilter,), {"order": keyset})


def exact(
    column: str,
    title: Text,
    *order: str,
    parameter: str = "",
    date: bool = False,
    in_book: bool = False,
) -> type[TypedFilter]:
    """Return a typed filter on an indexed column, with the order that its index gives."""
    values = {
        "lookup": column,
        "title": title,
        "parameter_name": parameter or column,
        "order": Keyset(*order) if order else None,
        "date": date,
        "in_book": in_book,
    }
    return type("ExactFilter", (TypedFilter,), values)


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of a filter: the rows it stands for, and the order their index gives."""

    label: Text
    rows: Q | Callable[[], Q]  # a function where the clock decides
    order: Keyset | None = None


class ChoiceFilter(SimpleListFilter):
    """A filter of declared choices."""

    declared: ClassVar[Mapping[str, Choice]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the choices."""
        return [(name, choice.label) for name, choice in self.declared.items()]

    def keyset(self) -> Keyset | None:
        """Return the order that an index gives under the choice."""
        chosen = self.declared.get(str(self.value()))
        return chosen.order if chosen else None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the choice; an unknown one has none."""
        if self.value() is None:
            return queryset
        chosen = self.declared.get(str(self.value()))
        if chosen is None:
            return queryset.none()
        return queryset.filter(chosen.rows() if callable(chosen.rows) else chosen.rows)


def choices(parameter: str, title: Text, declared: Mapping[str, Choice]) -> type[ChoiceFilter]:
    """Return a filter of declared choices."""
    values = {"parameter_name": parameter, "title": title, "declared": declared}
    return type("ChoiceFilter", (ChoiceFilter,), values)


def states(column: str, title: Text, labels: Any) -> type[ChoiceFilter]:
    """Return a filter over the choices of a column, for small tables only."""
    declared = {value: Choice(label, Q(**{column: value})) for value, label in labels}
    return choices(column, title, declared)
