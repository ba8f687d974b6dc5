"""
Bank-card elements (四要素) as a factor: name, card, identity number and telephone, compared by the
bank through a channel. Nothing of them is kept or logged, here or anywhere.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels.adapters.base import CardElements, ElementChecker, ElementsSaid
from channels.adapters.simulator import Simulator
from config.errors import DomainError, Malformed
from foundation import crypto
from foundation.models import User
from foundation.verification import FactorUndecided, Presented, ProofField, VerificationFactor
from merchants.models import ApplicationOwner
from merchants.models.application import AccountKind
from merchants.selectors import application as applications
from merchants.services import application_check, factor_count

NAME: Final = "bank_card"
_HOLDER, _CARD = f"{NAME}_holder", f"{NAME}_number"
_IDENTITY, _PHONE = f"{NAME}_identity", f"{NAME}_phone"
_RESIDENT: Final = ApplicationOwner.Identity.RESIDENT


class ElementsMalformed(Malformed):
    """Elements that no card, identity card or telephone has; `fields`: what is wrong with each."""

    code = "number_malformed"

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(" ".join(fields.values()), fields=dict(fields))


class BankCardWrong(DomainError):
    """The elements do not belong together, or to nobody on file. Says how many tries are left."""

    code = "bank_card_wrong"
    http_status = 403


def check(presented: Presented) -> None:
    """
    Pass when the elements are those of one card, of the person on file whose account this is.

    A try is taken before anything is compared, and given back when no channel can say. The channel
    is asked outside of every transaction, and never about somebody who is not on file.
    Raises: ElementsMalformed (nothing is counted), BankCardWrong, FactorLocked, FactorUndecided.
    Rule:   VER-18 (docs/rules/verification.md).
    """
    elements = _read(presented)
    who: dict[str, Any] = {
        "merchant_id": presented.merchant_id,
        "user": presented.user,
        "factor": NAME,
    }
    left = factor_count.take(**who, at=presented.at)
    said = ElementsSaid.DIFFER
    if _is_on_file(presented.merchant_id, presented.user, elements):
        said = _ask(elements)
    if said == ElementsSaid.UNDECIDED:
        factor_count.give_back(**who)
        raise FactorUndecided(_("The bank cannot say now: please try again in a while."))
    if said != ElementsSaid.MATCH:
        if not left:
            factor_count.require_unlocked(**who, at=presented.at)
        raise BankCardWrong(
            _("The elements of the bank card are not right; %(left)s tries are left.")
            % {"left": left},
            left=left,
        )
    factor_count.right(**who)


def checker() -> ElementChecker | None:
    """Return the channel that compares elements on this machine; None where there is none."""
    config = settings.CHANNEL_SIMULATOR
    if not (config["base_url"] and config["secret"]):
        return None
    return Simulator(config=config, meanings={})


def _ask(elements: CardElements) -> ElementsSaid:
    channel = checker()
    if channel is None:
        return ElementsSaid.UNDECIDED
    return channel.check_elements(elements, f"E{secrets.token_hex(12)}")


def _read(presented: Presented) -> CardElements:
    """
    Return the elements in their one form. Raises ElementsMalformed, naming every field that cannot
    be right and no digit: what is wrong by itself needs no bank, and betrays nothing about a card.
    """
    read, wrong = {}, {}
    for name, element in _ELEMENTS.items():
        try:
            read[name] = element(presented.given[name])
        except Malformed as refusal:
            wrong[name] = str(refusal)
    if wrong:
        raise ElementsMalformed(wrong)
    return CardElements(
        holder=read[_HOLDER], card=read[_CARD], identity=read[_IDENTITY], phone=read[_PHONE]
    )


def _holder(text: str) -> str:
    name = " ".join(unicodedata.normalize("NFKC", text).split())
    if not name:
        raise Malformed(_("Write the name as it stands on the card."))
    return name


_ELEMENTS: Final[Mapping[str, Callable[[str], str]]] = {
    _HOLDER: _holder,
    _CARD: lambda text: application_check.account(text, AccountKind.CARD),
    _IDENTITY: lambda text: application_check.identity(text, _RESIDENT),
    _PHONE: application_check.phone,
}


def _is_on_file(merchant_id: int, user: User, elements: CardElements) -> bool:
    """
    Return whether the identity is that of an owner of the approved application, whose name both the
    elements and the account's person bear: anybody has a card of his own, which proves nothing.
    """
    names = ApplicationOwner.objects.filter(
        application_id__in=applications.in_force([merchant_id]),
        identity_hash=crypto.lookup_hash(elements.identity),
    ).values_list("name", flat=True)
    wanted = {_folded(elements.holder)}
    return any({_folded(name), _folded(user.person.name)} == wanted for name in names)


def _folded(name: str) -> str:
    """Compare names without blanks, width and case."""
    return "".join(unicodedata.normalize("NFKC", name).split()).casefold()


def _typed(name: str, label: Any, most: int, *, numeric: bool = False) -> ProofField:
    return ProofField(name, label, max_length=most, numeric=numeric, hidden=False)


FACTOR: Final = VerificationFactor(
    NAME,
    gettext_lazy("bank card"),
    level=3,
    fields=(
        _typed(_HOLDER, gettext_lazy("Name on the bank card"), 100),
        _typed(_CARD, gettext_lazy("Bank card number"), 30, numeric=True),
        _typed(_IDENTITY, gettext_lazy("Identity card number"), 30),
        _typed(_PHONE, gettext_lazy("Telephone known to the bank"), 30, numeric=True),
    ),
    check=check,
)
