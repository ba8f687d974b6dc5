"""What the numbers of an application must be by themselves: their shapes and check digits."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final

import stdnum.exceptions
from django.utils.translation import gettext as _
from stdnum import luhn
from stdnum.cn import ric, uscc
from stdnum.iso7064 import mod_11_10

from config.errors import Malformed
from merchants.countries import COUNTRIES
from merchants.models import ApplicationOwner, ProductGate
from merchants.models.application import AccountKind
from merchants.services import agent as agents
from merchants.services import bank_account as bank_accounts
from merchants.services.merchant_import import SCHEDULE_PATTERN

Problems = dict[str, str]
_PHONE: Final = re.compile(r"(\+86)?1[3-9][0-9]{9}|0[0-9]{9,11}|400[0-9]{7}")
_FOREIGN_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_PASSPORT: Final = re.compile(r"[A-Z0-9]{5,20}")


class NumberMalformed(Malformed):
    """A number has the wrong shape or check digit; the message says which."""

    code = "number_malformed"


def registration(text: str, country: str = "CN") -> str:
    """
    Return a registration number in its one form. In China it is a unified social credit code
    (统一社会信用代码, GB 32100) with its check digit.

    Raises: NumberMalformed.
    Rule:   APP-3 (docs/rules/applications.md).
    """
    number = _plain(text)
    if country == "CN":
        try:
            return str(uscc.validate(number))
        except stdnum.exceptions.InvalidChecksum:
            raise NumberMalformed(
                _("The check digit of the unified social credit code is wrong.")
            ) from None
        except stdnum.exceptions.ValidationError:
            raise NumberMalformed(
                _("A unified social credit code has 18 digits or capitals but I, O, S, V, Z.")
            ) from None
    if not re.fullmatch(r"[A-Z0-9./]{2,64}", number):
        raise NumberMalformed(_("A registration number has 2 to 64 letters or digits."))
    return number


def identity(text: str, kind: str) -> str:
    """
    Return an identity number in its one form: a resident identity card's (GB 11643) with its check
    digit and a birth date that exists, a passport's, or a company's registration number.

    Raises: NumberMalformed. Rule: APP-3.
    """
    number = _plain(text)
    if kind == ApplicationOwner.Identity.REGISTRATION:
        return registration(number)
    if kind == ApplicationOwner.Identity.RESIDENT:
        try:
            return str(ric.validate(number))
        except stdnum.exceptions.InvalidChecksum:
            raise NumberMalformed(_("The check digit of the identity number is wrong.")) from None
        except (stdnum.exceptions.InvalidComponent, KeyError):  # stdnum knows the province alone
            return _dated(number)  # places are renamed: a table of them is never complete
        except stdnum.exceptions.ValidationError:
            raise NumberMalformed(
                _("An identity number has 18 characters: place, date of birth, order, check digit.")
            ) from None
    if not _PASSPORT.fullmatch(number):
        raise NumberMalformed(_("A passport number has 5 to 20 letters or digits."))
    return number


def _plain(text: str) -> str:
    """
    Return a number in capitals without blanks and hyphens, full-width characters as narrow ones:
    one number has one form, so that its look-up hash finds it again.
    """
    return re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text)).upper()


def _dated(number: str) -> str:
    try:
        ric.get_birth_date(number)
    except stdnum.exceptions.ValidationError:
        raise NumberMalformed(_("The identity number names a day that does not exist.")) from None
    return number


def account(text: str, kind: str) -> str:
    """
    Return an account number in its one form; a bank card's has 13 to 19 digits and passes Luhn.

    Raises: NumberMalformed, BankAccountMalformed. Rule: APP-3.
    """
    number = bank_accounts.canonical_number(text)
    if kind == AccountKind.CARD:
        if not re.fullmatch(r"[1-9][0-9]{12,18}", number):
            raise NumberMalformed(_("A bank card number has 13 to 19 digits."))
        if not luhn.is_valid(number):
            raise NumberMalformed(_("The check digit of the bank card number is wrong."))
    return number


def bank_code(text: str) -> str:
    """
    Return a CNAPS number (联行号): 12 digits, the last a check digit by ISO 7064 MOD 11,10.

    Raises: NumberMalformed. Rule: APP-3.
    """
    number = _plain(text)
    if not re.fullmatch(r"[0-9]{12}", number):
        raise NumberMalformed(_("A CNAPS number has 12 digits."))
    if not mod_11_10.is_valid(number):
        raise NumberMalformed(_("The check digit of the CNAPS number is wrong."))
    return number


def phone(text: str) -> str:
    """Return a phone number in its one form, without +86. Raises NumberMalformed. Rule: APP-3."""
    number = re.sub(r"[()]", "", _plain(text))
    if _PHONE.fullmatch(number):
        return number.removeprefix("+86")
    if not _FOREIGN_PHONE.fullmatch(number):
        raise NumberMalformed(
            _("Not a phone number: 11 digits, an area code with a number, or + and the country.")
        )
    return number


def _schedule(text: str) -> str:
    if not re.fullmatch(SCHEDULE_PATTERN, text):
        raise NumberMalformed(_("Not a schedule: T1, D1, WEEKLY:1, MONTHLY:1 and MANUAL are some."))
    return text


def _country(text: str) -> str:
    if text not in COUNTRIES:
        raise NumberMalformed(_("Not a country: two capitals, as CN."))
    return text


def either_or() -> str:
    """Say that a paper has a last day or none, not both."""
    return _("A last day or no end, not both.")


def profile(values: Mapping[str, Any]) -> tuple[dict[str, Any], Problems]:
    """
    Return the given fields of the form in their one form, and what is wrong with the others.

    Empty text stays empty: a draft may be incomplete.
    """
    country = str(values.get("country") or "CN")
    kind = str(values.get("account_kind") or AccountKind.CORPORATE)
    reads: dict[str, Callable[[str], str]] = {
        "country": _country,
        "registration_no": lambda text: registration(text, country),
        "account_number": lambda text: account(text, kind),
        "bank_code": bank_code if country == "CN" else str.strip,
        "schedule": _schedule,
        "agent_no": lambda text: agents.bringing(text.strip(), field="agent_no").number,
    }
    good: dict[str, Any] = {}
    problems: Problems = {}
    for name, value in values.items():
        try:
            good[name] = reads[name](value) if value and name in reads else value
        except Malformed as refusal:
            problems[name] = str(refusal)
    unknown = set(good.get("products", ())) - set(
        ProductGate.objects.filter(code__in=good.get("products", ())).values_list("code", flat=True)
    )
    if unknown:
        del good["products"]
        problems["products"] = _("There is no such product.")
    if good.get("licence_long_term") and good.get("licence_until"):
        good["licence_until"] = None
        problems["licence_until"] = either_or()
    return good, problems
