"""The page that finds anything by its number, whatever package it belongs to."""

from __future__ import annotations

from typing import cast

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from foundation import registries
from foundation.models import User

MENU = [("find", gettext_lazy("Find by number"), "search", "")]
MOST_LETTERS = 128


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Ask every package for the number that was typed: exact, or a merchant's beginning."""
    text, problem = request.GET.get("q", "").strip(), ""
    if len(text) > MOST_LETTERS or not text.isprintable():
        text, problem = "", _("A number has at most %(most)s letters.") % {"most": MOST_LETTERS}
    user = cast(User, request.user)
    hits = (
        [hit for find in registries.search_providers for hit in find(text=text, user=user)]
        if text
        else []
    )
    context = {
        **admin.site.each_context(request),
        "title": _("Find by number"),
        "text": text,
        "problem": problem,
        "hits": hits,
    }
    return TemplateResponse(request, "admin/find.html", context)
