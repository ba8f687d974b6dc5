"""The page on which a merchant's registrations are asked for: all at once, or those chosen."""

from __future__ import annotations

from typing import Any, Final, cast

from django import forms
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from channels.models import Registration
from channels.selectors import registration as selectors
from channels.selectors.registration import Offer
from channels.services import registration as registrations
from foundation import clock
from foundation.admin import form_page
from foundation.models import User
from merchants.models import Merchant

PAGE: Final = "channels_registration_request"


class RequestForm(forms.Form):
    """Which channels and products."""

    wanted = forms.MultipleChoiceField(
        label=gettext_lazy("Channel and kind of product"),
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )

    def __init__(self, offers: list[Offer], data: Any = None) -> None:
        shown = [(one.key, _said(one)) for one in offers if one.open]
        chosen = [one.key for one in offers if one.latest is None or _outdated(one)]
        super().__init__(data, initial={"wanted": chosen})
        field = cast(forms.MultipleChoiceField, self.fields["wanted"])
        field.choices = shown
        if not shown:
            field.help_text = _(
                "Nothing is left to ask for: no channel registers for its products, or each was"
                " asked already."
            )

    def pairs(self) -> list[tuple[int, str]]:
        """Return what was chosen, as (channel, kind of product)."""
        chosen = [one.partition(":") for one in self.cleaned_data["wanted"]]
        return [(int(channel), product) for channel, _colon, product in chosen]


def _outdated(one: Offer) -> bool:
    return one.open and one.latest is not None and one.latest.outdated_at is not None


def _said(one: Offer) -> str:
    words = {"channel": one.channel.name or one.channel.code, "product": one.product}
    if one.latest is None:
        return _("%(channel)s · %(product)s") % words
    if _outdated(one):
        return _("%(channel)s · %(product)s (the merchant has changed since)") % words
    if one.latest.state == Registration.State.REFUSED:
        return _("%(channel)s · %(product)s (refused before)") % words
    return _("%(channel)s · %(product)s (ended before)") % words


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, merchant_id: int) -> HttpResponse:
    """Ask for registrations of a merchant; what was never asked for is chosen already (REG-2)."""
    merchant = Merchant.objects.filter(pk=merchant_id, kind=Merchant.Kind.MERCHANT).first()
    if merchant is None:
        raise Http404
    sent = request.method == "POST"
    form = RequestForm(selectors.offers(merchant), request.POST if sent else None)

    def run(values: dict[str, Any]) -> str:
        made = registrations.request_many(
            merchant_id=merchant.pk,
            wanted=form.pairs(),
            by=cast(User, request.user),
            at=clock.now(),
        )
        told = ngettext("%(many)s registration asked for.", "%(many)s registrations asked for.",
                        len(made))  # fmt: skip
        return told % {"many": len(made)}

    return form_page.serve(
        request,
        title=_("Register %(merchant)s with channels") % {"merchant": merchant},
        intro=_(
            "Our own review is done; each channel now does the second. What is asked for stands on"
            " the overview until somebody has sent it to the channel."
        ),
        button=_("Ask for registration"),
        form=form,
        run=run,
        onward=reverse("admin:merchants_merchant_change", args=[merchant.pk]),
    )


def fill(site: Any = admin.site) -> None:
    """Give the page its address in the admin."""
    site.add_page("channels/registrations/ask/<int:merchant_id>/", page, PAGE)
