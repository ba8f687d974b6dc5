"""The page that proposes what shall be agreed with a channel (S0-09)."""

from __future__ import annotations

from typing import Any, Final, cast

from django import forms
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_http_methods
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from channels.models import Channel
from channels.services import channel as channels
from foundation import clock
from foundation.admin import form_page
from foundation.admin.readonly import MAX_REASON, uploaded
from foundation.models import User
from merchants.admin.merchant_state import Files
from merchants.models import ProductGate
from merchants.models.application import Bearer

PAGE: Final = "channels_channel_terms"


def _bearer(label: Any) -> forms.ChoiceField:
    nobody = ("", pgettext_lazy("who", "nobody"))
    return forms.ChoiceField(
        label=label,
        required=False,
        choices=[nobody, *Bearer.choices],
        widget=UnfoldAdminSelectWidget(),
    )


class TermsForm(forms.Form):
    """For what a channel registers merchants, and who answers for what. Shapes only."""

    registers = forms.MultipleChoiceField(
        label=gettext_lazy("registers for"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    reviewed_by_whom = _bearer(gettext_lazy("who reviews"))
    settled_by_whom = _bearer(gettext_lazy("who settles"))
    loss_borne_by = _bearer(gettext_lazy("who bears losses"))
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=MAX_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )
    attachments = forms.Field(
        label=gettext_lazy("Attachments (PDF, PNG, JPEG, text)"),
        required=False,
        widget=Files(attrs={"accept": ".pdf,.png,.jpg,.jpeg,.txt,.csv"}),
    )

    def __init__(self, channel: Channel, data: Any = None, files: Any = None) -> None:
        super().__init__(data, files, initial=channels.terms(channel))
        gates = ProductGate.objects.order_by("code")
        field = cast(forms.MultipleChoiceField, self.fields["registers"])
        field.choices = [(gate.code, str(gate)) for gate in gates]


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, object_id: int) -> HttpResponse:
    """Propose the terms of a channel as they shall be; another person decides. Rule: REG-6."""
    channel = Channel.objects.filter(pk=object_id).first()
    if channel is None:
        raise Http404
    sent = request.method == "POST"
    form = TermsForm(channel, request.POST, request.FILES) if sent else TermsForm(channel)

    def run(values: dict[str, Any]) -> str:
        channels.propose(
            code=channel.code,
            registers=values["registers"],
            reviews=values["reviewed_by_whom"],
            settles=values["settled_by_whom"],
            bears_loss=values["loss_borne_by"],
            reason=values["reason"],
            maker=cast(User, request.user),
            at=clock.now(),
            attachments=uploaded(request),
        )
        return _("Proposed; another person decides in the approvals.")

    return form_page.serve(
        request,
        title=_("What is agreed with channel %(channel)s") % {"channel": channel},
        intro=_(
            "Another person decides. Registrations that were asked for before keep the terms of"
            " their day; without a product it registers nobody."
        ),
        button=_("Propose"),
        form=form,
        run=run,
        onward=reverse("admin:channels_channel_change", args=[channel.pk]),
    )


def fill(site: Any = admin.site) -> None:
    """Give the page its address in the admin."""
    site.add_page("channels/channel/<int:object_id>/terms/", page, PAGE)
