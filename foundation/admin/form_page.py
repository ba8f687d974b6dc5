"""A page with one form in front of one service call; mistakes are said beside their field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from config.errors import DomainError


def serve(
    request: HttpRequest,
    *,
    title: str,
    intro: str,
    button: str,
    form: forms.Form,
    run: Callable[[dict[str, Any]], str],
    onward: str,
    colour: str = "",
) -> HttpResponse:
    """
    Show the form; when it is sent and sound, `run` its values, tell what came of it, and go on.

    A DomainError is shown at the field it names, else above the form, and nothing is lost of what
    was typed. `colour` is "danger" where the button does harm at once.
    """
    if request.method == "POST" and form.is_valid():
        try:
            messages.success(request, run(form.cleaned_data))
            return HttpResponseRedirect(onward)
        except DomainError as refusal:
            field = getattr(refusal, "field", None) or refusal.details.get("field")
            form.add_error(field if field in form.fields else None, str(refusal))
    context = {
        **admin.site.each_context(request),
        "title": title,
        "intro": intro,
        "button": button,
        "colour": colour,
        "form": form,
        "back": onward,
    }
    status = 400 if form.errors else 200
    return TemplateResponse(request, "admin/form_page.html", context, status=status)
