"""API keys as a merchant's people keep them: made and renewed with proofs, shown once."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.errors import DomainError
from foundation import clock
from merchants.models import Ability, ApiKey, Scope
from merchants.models.api_key import KIND_SCOPES
from merchants.portal import verification
from merchants.portal.access import MemberRequest, for_members
from merchants.selectors import api_key as selectors
from merchants.services import api_key as api_keys
from merchants.services import own_act
from merchants.services import own_key as own_keys

MOST_NETWORKS = 20


class KeyForm(forms.Form):
    """What a new key is called, may do, from where, and until when."""

    name = forms.CharField(
        label=gettext_lazy("Name of the key"),
        max_length=100,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it may do"), widget=forms.CheckboxSelectMultiple
    )
    networks = forms.CharField(
        label=gettext_lazy("Allowed networks"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"class": "form-control font-monospace", "rows": 3}),
    )
    expires_on = forms.DateField(
        label=gettext_lazy("Last day"),
        required=False,
        widget=forms.DateInput(attrs={"class": "form-control", "type": "date"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)
        may = KIND_SCOPES[ApiKey.Kind.MERCHANT]
        field.choices = [(one.value, one.label) for one in Scope if one in may]

    def clean_networks(self) -> list[str]:
        """Return the networks, one a line or parted by commas, in their one form."""
        words = self.cleaned_data["networks"].replace(",", " ").split()
        if len(words) > MOST_NETWORKS:
            raise forms.ValidationError(_("At most %(most)s networks.") % {"most": MOST_NETWORKS})
        try:
            return [api_keys.network(word) for word in words]
        except api_keys.KeyMalformed as refusal:
            raise forms.ValidationError(str(refusal)) from refusal

    @property
    def expires_at(self) -> datetime | None:
        """Return the end of the last day in the institution's zone."""
        day = self.cleaned_data.get("expires_on")
        return None if day is None else datetime.combine(day, time.max, clock.zone())

    @property
    def meant(self) -> dict[str, Any]:
        """Return the key that this form describes."""
        given = self.cleaned_data
        return {
            "name": given["name"].strip(),
            "scopes": sorted(given["scopes"]),
            "networks": given["networks"],
            "expires_at": self.expires_at,
        }


@require_safe
def keys(request: MemberRequest) -> HttpResponseBase:
    """Show the merchant's keys, never their secrets."""
    found = selectors.of_merchant(merchant_id=request.member.merchant_id)[:200]
    context = {"keys": found, "now": clock.now()}
    return render(request, "portal/merchants/api_keys.html", context)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: MemberRequest) -> HttpResponseBase:
    """Describe a key, prove who it is, and see the key once."""
    form = KeyForm(data=request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid() or not _free(request, form):
        return render(request, "portal/merchants/api_key_form.html", {"form": form})
    given = request.POST if verification.NUMBER in request.POST else None
    step = _step(request, own_keys.CREATE, own_keys.meant(**form.meant), given)
    token = step.submit() if given is not None else None
    if token is not None:
        try:
            made = own_keys.create(
                merchant_id=request.member.merchant_id,
                by=request.member.user,
                token=token,
                at=step.at,
                **form.meant,
            )
        except DomainError as refusal:
            named = str(refusal.details.get("field", ""))
            form.add_error(named if named in form.fields else None, str(refusal))
            return render(request, "portal/merchants/api_key_form.html", {"form": form})
        return _show(request, made, None)
    context = {"form": form, "step": step, "meant": form.meant}
    return render(request, "portal/merchants/api_key_confirm.html", context)


class RotationForm(forms.Form):
    """How long the secret of before stays good."""

    overlap = forms.TypedChoiceField(
        label=gettext_lazy("The old secret is good"),
        coerce=int,
        choices=[
            (0, gettext_lazy("no longer")),
            (1, gettext_lazy("for one day more")),
            (7, gettext_lazy("for seven days more")),
            (30, gettext_lazy("for thirty days more")),
        ],
        widget=forms.Select(attrs={"class": "form-select"}),
    )


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def rotate(request: MemberRequest, key_id: int) -> HttpResponseBase:
    """Give a key a new secret, and see it once."""
    key = _key(request, key_id)
    form = RotationForm(data=request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form, "key": key}
    if request.method != "POST" or not form.is_valid():
        return render(request, "portal/merchants/api_key_rotate.html", context)
    days = form.cleaned_data["overlap"]
    overlap = next(one for one in own_keys.OVERLAPS if one.days == days)
    given = request.POST if verification.NUMBER in request.POST else None
    step = _step(request, own_keys.SHOW, own_keys.rotation(key.id, overlap), given)
    token = step.submit() if given is not None else None
    if token is not None:
        try:
            made = own_keys.rotate(
                merchant_id=request.member.merchant_id,
                by=request.member.user,
                token=token,
                key_id=key.id,
                overlap=overlap,
                at=step.at,
            )
        except DomainError as refusal:
            form.add_error("overlap", str(refusal))
            return render(request, "portal/merchants/api_key_rotate.html", context)
        return _show(request, made, made.key.previous_until)
    return render(request, "portal/merchants/api_key_rotate.html", context | {"step": step})


@require_POST
def revoke(request: MemberRequest, key_id: int) -> HttpResponseBase:
    """Switch a key off for good."""
    key = _key(request, key_id)
    member = request.member
    own_keys.revoke(merchant_id=member.merchant_id, by=member.user, key_id=key.id)
    messages.success(request, _("The key is switched off for good."))
    return redirect("portal:api_keys", member.merchant_id)


def _key(request: MemberRequest, key_id: int) -> ApiKey:
    rows = selectors.of_merchant(merchant_id=request.member.merchant_id)
    found = rows.filter(id=key_id).first()
    if found is None:
        raise Http404
    return found


def _free(request: MemberRequest, form: KeyForm) -> bool:
    """Say early what would be refused once everything is proved."""
    try:
        own_keys.require_free_name(
            merchant_id=request.member.merchant_id, name=form.cleaned_data["name"]
        )
    except DomainError as refusal:
        form.add_error("name", str(refusal))
    if form.expires_at is not None and form.expires_at <= clock.now():
        form.add_error("expires_on", _("This day is over."))
    return form.is_valid()


def _step(request: MemberRequest, operation: str, payee: str, given: Any) -> verification.Step:
    return verification.Step(
        request.member,
        operation=operation,
        amount=own_act.NOTHING,
        payee=payee,
        at=clock.now(),
        given=given,
    )


def _show(
    request: MemberRequest, made: api_keys.Issued, old_until: datetime | None
) -> HttpResponseBase:
    """Answer with the secret itself: it is kept nowhere, so a page asked for again has it not."""
    context = {"made": made, "old_until": old_until}
    return render(request, "portal/merchants/api_key_shown.html", context)


_managed = for_members(Ability.MANAGE)

urlpatterns = [
    path("<int:merchant_id>/api-keys", _managed(keys), name="api_keys"),
    path("<int:merchant_id>/api-keys/new", _managed(create), name="api_key_new"),
    path("<int:merchant_id>/api-keys/<int:key_id>/new-secret", _managed(rotate),
         name="api_key_rotate"),
    path("<int:merchant_id>/api-keys/<int:key_id>/off", _managed(revoke), name="api_key_off"),
]  # fmt: skip
