"""Columns that every list shows the same way: amounts, states, links, progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.html import format_html

from foundation.models import User
from foundation.money import Money
from foundation.selectors import person as people

Column = Callable[[Any], Any]
Text = str | Promise
_PEOPLE = "_people"  # on a row of a list: how the accounts of its page are called


def grouped(money: Money) -> str:
    """Return an amount as people read it: digits in threes in both languages, currency behind."""
    return money.grouped


def money(column: str, label: Text, *, currency: str = "currency") -> Column:
    """
    Return a column that shows the minor units in `column` as an amount.

    `currency` may lead over relations ("account__currency").
    """

    @admin.display(description=label)  # type: ignore[arg-type]
    def show(row: Model) -> str | None:
        minor = getattr(row, column)
        if minor is None:
            return None
        code = attrgetter(currency.replace("__", "."))(row)
        # A rule for every currency has none: its amount stays in minor units.
        text = grouped(Money(minor, code)) if code else f"{minor:,}"
        return format_html('<span class="amount">{}</span>', text)

    return show


def state(column: str, label: Text, colours: Mapping[str, str]) -> Column:
    """Return a column that shows a choice as a badge: success, info, warning or danger."""

    @admin.display(description=label)  # type: ignore[arg-type]
    def show(row: Any) -> Any:
        return getattr(row, column), getattr(row, f"get_{column}_display")()

    show.label = dict(colours)  # type: ignore[attr-defined]
    return show


def link(label: Text, target: Callable[[Any], tuple[str, Any, Any] | None]) -> Column:
    """Return a column that links: `target(row)` gives (url name in the admin, key, text)."""

    @admin.display(description=label)  # type: ignore[arg-type]
    def show(row: Model) -> str | None:
        found = target(row)
        if found is None or found[1] is None:
            return None
        try:
            address = reverse(f"admin:{found[0]}", args=[found[1]])
        except NoReverseMatch:  # its package shows no such page
            return str(found[2])
        return format_html('<a class="cell-link" href="{}">{}</a>', address, found[2])

    return show


def named(column: str, label: Text, name_of: Callable[[str], str]) -> Column:
    """Return a column that shows the code in `column` by its name in the reader's language."""

    @admin.display(description=label)  # type: ignore[arg-type]
    def show(row: Model) -> str:
        return name_of(getattr(row, column))

    show.__name__ = column
    return show


def plain(name: str, label: Text) -> Column:
    """Return a column that shows an attribute under a label of ours; a relation is a link."""

    @admin.display(description=label)  # type: ignore[arg-type]
    def show(row: Model) -> Any:
        value = getattr(row, name)
        if not isinstance(value, Model):
            return value
        meta: Any = value._meta
        try:
            address = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[value.pk])
        except NoReverseMatch:  # its package shows no such page
            return str(value)
        return format_html('<a class="cell-link" href="{}">{}</a>', address, value)

    show.__name__ = name
    return show


def person(name: str, label: Text, *, link: bool = False) -> Column:
    """
    Return a column that shows the account in `name` by its person's name, linked where asked.

    A list has read the names of its page in one statement (`call_people`).
    """

    @admin.display(description=label)  # type: ignore[arg-type]
    def show(row: Any) -> str | None:
        key = getattr(row, f"{name}_id")
        if key is None:
            return None
        known = row.__dict__.get(_PEOPLE) or people.names([key])
        called = known.get(str(key), str(key))
        if not link:
            return called
        address = reverse("admin:foundation_user_change", args=[key])
        return format_html('<a class="cell-link" href="{}">{}</a>', address, called)

    show.__name__ = name
    return show


def accounts(model: type[Model]) -> list[str]:
    """Return the columns of a table that hold somebody's account."""
    return [field.name for field in model._meta.concrete_fields if field.related_model is User]


def call_people(rows: list[Any]) -> None:
    """Read how everybody on a page of a list is called, in one statement."""
    columns = accounts(type(rows[0])) if rows else []
    if columns:
        known = people.names(getattr(row, f"{name}_id") for row in rows for name in columns)
        for row in rows:
            row.__dict__[_PEOPLE] = known


def progress(done: str, total: str, label: Text) -> Column:
    """Return a column that shows how far something is, from two of its own columns."""
    return progress_of(lambda row: (getattr(row, done), getattr(row, total)), label)


def progress_of(how_far: Callable[[Any], tuple[int, int]], label: Text) -> Column:
    """Return a column that shows how far something is, as a bar with its numbers."""

    @admin.display(description=label)  # type: ignore[arg-type]
    def show(row: Model) -> str:
        at, of = how_far(row)
        return format_html(
            '<progress class="progress" max="{}" value="{}"></progress> <span>{} / {}</span>',
            max(of, 1),
            at,
            f"{at:,}",
            f"{of:,}",
        )

    return show
