"""
The step of a page in which a person proves who he is: the fields of exactly the factors that the
matrix names for this act, in their order.

A page that asks for proofs keeps showing what the act is, includes `components/_verification.html`
in its form, and sends what comes back through `Step.submit`. The token never leaves the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django import forms
from django.utils.html import format_html
from django.utils.translation import gettext as _

from config.errors import DomainError, NotFound
from foundation.money import Money
from foundation.verification import ProofField, VerificationFactor
from merchants.portal.access import Member
from merchants.services import verification
from merchants.services.verification_token import RequestClosed

NUMBER: Final = "verification"  # the hidden field with the request's number
AGAIN: Final = "send_again"  # the button that has a code sent once more
NOTHING: Final = Money(0, "CNY")  # the amount of an act that moves no money


class ProofForm(forms.Form):
    """The fields of the factors of this step."""

    def __init__(self, factors: tuple[VerificationFactor, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for place, field in enumerate(field for factor in factors for field in factor.fields):
            self.fields[field.name] = _typed(field, focus=place == 0)


class Step:
    """
    One person's verification of one act, on one page; `problems` are shown at its fields.

    `over`: what was sent belongs to a request that has ended; the form came twice, or late.
    """

    def __init__(
        self,
        member: Member,
        *,
        operation: str,
        amount: Money,
        payee: str,
        at: datetime,
        given: Mapping[str, str] | None = None,
    ) -> None:
        """
        Go on with the request that `given` names, if it is open and for exactly this act; else open
        one. Raises: Forbidden, OperationNotVerifiable.
        """
        self.at = at
        self.given = given or {}
        self.problems: list[str] = []
        self.over = False
        act: dict[str, Any] = {
            "merchant_id": member.merchant_id,
            "user": member.user,
            "operation": operation,
            "amount": amount,
            "payee": payee,
            "at": at,
        }
        named = self.given.get(NUMBER, "")
        try:
            self.request = verification.find(number=named, **act)
            self.is_new = False
        except NotFound:
            self.request = verification.open_request(**act)
            self.is_new = True
        self.status = verification.asked(self.request)
        self.form = ProofForm(self.status.now)
        if self.is_new:
            self._prepare()
            if named:  # what was typed belongs to a request that is over
                self.given, self.over = {}, True
                self.problems.insert(0, _("This verification is over: please begin again."))

    @property
    def can_send_again(self) -> bool:
        """Return whether this step has something that can be sent once more."""
        return any(factor.prepares for factor in self.status.now)

    @property
    def address(self) -> str:
        """Return where a code goes, as much of it as its owner recognises."""
        name, _at, host = self.request.user.email.rpartition("@")
        shown = f"{name[:2]}***@{host}" if host else ""
        return format_html('<span translate="no">{}</span>', shown)

    @property
    def place(self) -> int:
        """Return the number of this step, from 1."""
        return len(self.status.proved) + 1

    @property
    def places(self) -> int:
        """Return how many steps there are in all."""
        status = self.status
        return len(status.proved) + len(status.waiting) + (1 if status.now else 0)

    def submit(self) -> str | None:
        """
        Take what was typed; return the token once everything is proved.

        None: the page asks for the next factor, or says what is wrong.
        """
        if AGAIN in self.given:
            self._prepare(again=True)
            return None
        form = ProofForm(self.status.now, data=self.given)
        if self.problems or not form.is_valid():
            self.form = form if self.given else self.form
            return None
        refused: DomainError | None = None
        try:
            token = verification.prove(request=self.request, given=self.given, at=self.at)
        except DomainError as refusal:
            self.over = isinstance(refusal, RequestClosed)
            token, refused = None, refusal
        self._ask()
        if refused is not None:
            self._say(refused)
        if token is None and refused is None:
            self._prepare()
        return token

    def _ask(self) -> None:
        """Show the fields of what is to be given now, empty."""
        self.status = verification.asked(self.request)
        self.form = ProofForm(self.status.now)

    def _say(self, refusal: DomainError) -> None:
        """Say what was refused: beside the fields that it names, else below all of them."""
        named = refusal.details.get("fields")
        if not isinstance(named, dict) or not set(named) <= set(self.form.fields):
            self.problems.append(str(refusal))
            return
        self.form.cleaned_data = {}  # nothing that was typed is shown again
        for name, problem in named.items():
            self.form.add_error(name, problem)
            self.form.fields[name].widget.attrs["aria-invalid"] = "true"

    def _prepare(self, *, again: bool = False) -> None:
        """Send what this step needs; say why it cannot be sent."""
        try:
            verification.prepare(request=self.request, at=self.at, again=again)
        except DomainError as refusal:
            self.problems.append(str(refusal))


def _typed(field: ProofField, *, focus: bool) -> forms.CharField:
    attributes: dict[str, Any] = {
        "class": "form-control",
        "autocomplete": field.complete,
        "inputmode": "numeric" if field.numeric else "text",
        "autofocus": focus,
    }
    widget = forms.PasswordInput if field.hidden else forms.TextInput
    return forms.CharField(
        label=str(field.label),
        max_length=field.max_length,
        strip=False,
        widget=widget(attrs=attributes),
    )
