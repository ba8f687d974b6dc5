"""The page that shows all that was done to one thing, whoever did it and by whatever way."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from django.contrib import admin
from django.db.models import BinaryField, Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from foundation.admin.waiting import own_number
from foundation.fields import EncryptedTextField
from foundation.models import Fact
from foundation.selectors import timeline
from foundation.selectors.house import house_id
from foundation.selectors.timeline import Entry, Thing

_PLACE: Final = re.compile(r"([a-z]{3,8})(\d{1,18})")


def thing_of(row: Model, subjects: Sequence[str]) -> Thing:
    """Return what the sources call a row: what belongs to no merchant lies in the house's book."""
    if isinstance(row, Fact):
        book: Any = row.merchant_id
    else:
        book = row.pk if row._meta.label == "merchants.Merchant" else house_id()
    kind, _colon, _key = subjects[0].partition(":")
    names = [str(row.pk), *own_number(row)]
    return Thing(row._meta.db_table, str(row.pk), int(book), kind, names, subjects)


def serve(
    request: HttpRequest, row: Model, *, title: str, subjects: Sequence[str], hidden: Sequence[str]
) -> HttpResponse:
    """Show one page of a row's timeline; proposals only to who may see proposals."""
    sees = request.user.has_perm("foundation.view_approval")
    sources = timeline.SOURCES if sees else timeline.SOURCES[:2]
    place = _place(request.GET.get("after", ""))
    entries, onward = timeline.page(thing_of(row, subjects), sources=sources, after=place)
    names = timeline.people(one.actor for one in entries)
    sealed = _secret(type(row))
    lines = ((one, _rows(one, hidden, sealed)) for one in entries)
    context = {
        **admin.site.each_context(request),
        "title": _("Timeline: %(name)s") % {"name": title},
        "back": reverse(_address(row), args=[row.pk]),
        "lines": [
            (one, names.get(one.actor, one.actor), rows)
            for one, rows in lines
            if rows or (one.source, one.what) != ("change", "UPDATE")  # it would say nothing
        ],
        "first": not place,
        "onward": "".join(f"{source}{last}" for source, last in (onward or {}).items()),
    }
    return TemplateResponse(request, "admin/timeline.html", context)


def _rows(one: Entry, hidden: Sequence[str], sealed: set[str]) -> list[tuple[str, object, object]]:
    """Return (field, before, after); of a sealed value only that another one was written."""
    rows: list[tuple[str, object, object]] = []
    for name in {**one.before, **one.after}:
        spoken = _(name.replace("_", " "))
        if name in hidden:
            continue
        if name not in sealed:
            rows.append((spoken, _said(one.before.get(name)), _said(one.after.get(name))))
        elif name in one.before and name in one.after:
            rows.append((spoken, "***", _("written anew, not shown")))
    return rows


def _said(value: object) -> object:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return value


def _secret(model: type[Model]) -> set[str]:
    """Return the columns whose values no page shows."""
    return {
        str(field.column)
        for field in model._meta.concrete_fields
        if isinstance(field, (EncryptedTextField, BinaryField))
    }


def _place(text: str) -> dict[str, int]:
    """Read where a page begins; what is none begins at the top."""
    found = {source: int(last) for source, last in _PLACE.findall(text[:200])}
    return {source: last for source, last in found.items() if source in timeline.SOURCES}


def _address(row: Model) -> str:
    return f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
