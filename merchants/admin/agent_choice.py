"""Choosing an agent in a form: its number is typed, and the browser searches among the active."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from merchants.selectors import agent as agents

MOST_OFFERED: Final = 500


class AgentInput(UnfoldAdminTextInputWidget):
    """A text field that offers the active agents by number and name."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Return the input with its list of suggestions."""
        offered = f"{name}-offered"
        more = {**(attrs or {}), "list": offered, "autocomplete": "off"}
        options = format_html_join(
            "",
            '<option value="{}">{}</option>',
            ((one.number, one.name) for one in agents.active(most=MOST_OFFERED)),
        )
        field = super().render(name, value, more, renderer)
        return format_html('{}<datalist id="{}">{}</datalist>', field, offered, options)


def field(label: Any, help_text: Any = "", **more: Any) -> forms.CharField:
    """Return a field for the number of an agent, or nothing."""
    return forms.CharField(
        label=label,
        required=False,
        max_length=64,
        help_text=help_text or gettext_lazy("Number of an active agent; empty for nobody."),
        widget=AgentInput(),
        **more,
    )
