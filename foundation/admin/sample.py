"""The page on which an auditor draws a sample, by a seed that finds it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from foundation import registries
from foundation.admin.columns import grouped
from foundation.models import Approval
from foundation.registries import SampleSource
from foundation.selectors import sample as samples

MENU = [("foundation_sample", gettext_lazy("Audit sample"), "casino", "foundation.view_auditevent")]
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the sample as the page shows it."""

    url: str
    key: int
    cells: list[str]


class SampleForm(forms.Form):
    """What is drawn from, and the numbers that find it again."""

    source = forms.ChoiceField(label=gettext_lazy("from"), widget=UnfoldAdminSelectWidget())
    seed = forms.IntegerField(
        label=gettext_lazy("seed"),
        min_value=0,
        max_value=_LARGEST,
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    size = forms.IntegerField(
        label=gettext_lazy("sample size"),
        min_value=1,
        max_value=samples.MOST,
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    up_to = forms.IntegerField(
        label=gettext_lazy("up to key"),
        min_value=0,
        max_value=_LARGEST,
        required=False,
        help_text=gettext_lazy("The end of the population; empty for all there are now."),
        widget=UnfoldAdminIntegerFieldWidget(),
    )

    def __init__(self, *args: Any, names: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["source"].choices = names  # type: ignore[attr-defined]


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Draw and show; the address keeps all that is needed to draw the same rows again."""
    if not request.user.has_perm("foundation.view_auditevent"):
        raise PermissionDenied
    sources = [
        (name, source)
        for name, source in registries.sample_sources.items()
        if request.user.has_perm(source.permission)
    ]
    names = [(name, str(source.title)) for name, source in sources]
    form = SampleForm(request.GET if "seed" in request.GET else None, names=names)
    context = {**admin.site.each_context(request), "title": _("Audit sample"), "form": form}
    if form.is_valid():
        values = form.cleaned_data
        drawn = samples.draw(
            values["source"], seed=values["seed"], size=values["size"], up_to=values["up_to"]
        )
        source = registries.sample_sources.get(values["source"])
        context |= {
            "drawn": drawn,
            "head": list(source.columns(drawn.rows[0])) if drawn.rows else [],
            "lines": [_line(source, row) for row in drawn.rows],
        }
    status = 400 if form.errors else 200
    return TemplateResponse(request, "admin/sample.html", context, status=status)


def _line(source: SampleSource, row: Any) -> Line:
    url = reverse(f"admin:{source.url_name}", args=[row.pk])
    return Line(url, row.pk, list(source.columns(row).values()))


def _of_approval(row: Approval) -> dict[str, str]:
    moved = row.money_effect
    return {
        _("kind of proposal"): registries.title_of(row.action),
        _("subject"): row.subject,
        _("merchant"): row.merchant.merchant_no,
        _("money effect"): "–" if moved is None else grouped(moved),
        _("state"): str(row.get_state_display()),
        _("proposed at"): row.proposed_at.isoformat(),
    }


APPROVALS = SampleSource(
    title=gettext_lazy("Approvals"),
    rows=lambda: Approval.objects.select_related("merchant"),
    columns=_of_approval,
    url_name="foundation_approval_change",
    permission="foundation.view_approval",
)
