"""Contacts as a sheet."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export.fields import Field
from import_export.resources import Resource

from config.errors import DomainError
from foundation import crypto, exchange, sheet
from foundation.csv_intake.report import REASONS
from foundation.exchange import Column
from foundation.models import User
from foundation.sheet import Checked, Effect
from merchants.models import ApplicationContact, Merchant, MerchantContact
from merchants.services import application_check as checks
from merchants.services import merchant_contact as contacts

_EMAIL_MOST: Final = 200


def _role(text: str) -> str:
    if text not in ApplicationContact.Role.values:
        raise DomainError(_("One of %(names)s.") % {"names": ", ".join(ApplicationContact.Role)})
    return text


def _email(text: str) -> str:
    if not text:
        return text
    try:
        validate_email(text)
    except ValidationError:
        raise DomainError(_("Not an e-mail address.")) from None
    if len(text) > _EMAIL_MOST:
        raise DomainError(str(REASONS["too_long"]) % {"detail": _EMAIL_MOST})
    return text


class ContactSheet(sheet.SheetResource):
    """Contacts of merchants; one that is known by merchant, role and name is written anew."""

    secret = frozenset({"phone"})
    merchant_no = Field("merchant_no", "merchant_no", widget=sheet.words(64, code=True))
    role = Field("role", "role", widget=Checked(_role))
    name = Field("name", "name", widget=sheet.words(100))
    email = Field("email", "email", widget=Checked(_email))
    phone = Field("phone", "phone", widget=Checked(lambda text: checks.phone(text) if text else ""))

    def key(self, row: Any) -> Hashable:
        """A contact is known by merchant, role and name."""
        return (row.merchant_no, row.role, row.name)

    def prepare(self, table: sheet.Table) -> None:
        """Find the merchants and their contacts."""
        numbers = {values[0] for _no, values in table.rows}
        found = Merchant.objects.filter(merchant_no__in=numbers, kind=Merchant.Kind.MERCHANT)
        self._merchants = dict(found.values_list("merchant_no", "id"))
        known = MerchantContact.objects.filter(merchant_id__in=self._merchants.values())
        self._known = {(one.merchant_id, one.role, one.name): one for one in known.defer("phone")}

    def judge(self, row: Any, row_no: int) -> Mapping[str, str]:
        """The merchant is known, and there is a way to reach the contact."""
        if row.merchant_no not in self._merchants:
            return {"merchant_no": _("There is no such merchant.")}
        if not (row.email or row.phone):
            return {"phone": _("A phone or an e-mail address is needed.")}
        row.merchant_id = self._merchants[row.merchant_no]
        return {}

    def effect(self, row: Any) -> tuple[Effect, Mapping[str, tuple[str, str]]]:
        """Compare with the contact that is known."""
        known = self._known.get((row.merchant_id, row.role, row.name))
        if known is None:
            return Effect.NEW, {}
        changes: dict[str, tuple[str, str]] = {}
        if known.email != row.email:
            changes["email"] = (known.email, row.email)
        hashed = crypto.lookup_hash(row.phone) if row.phone else None
        if hashed != (None if known.phone_hash is None else bytes(known.phone_hash)):
            changes["phone"] = (known.phone_masked, crypto.mask(row.phone) if row.phone else "")
        if not known.active:
            changes["active"] = (_("no"), _("yes"))
        return (Effect.CHANGED if changes else Effect.KNOWN), changes


def store(*, plan: sheet.Plan, source: exchange.Source, maker: User, at: datetime) -> str:
    """Write the contacts that are new or other. Rule: MER-11 (docs/rules/merchants.md)."""
    names = ("merchant_id", "role", "name", "email", "phone")
    contacts.put(
        [contacts.NewContact(**{name: line.values[name] for name in names}) for line in plan.doing],
        at=at,
    )
    return _("%(new)s contacts are new, %(changed)s changed.") % {
        "new": plan.count(Effect.NEW),
        "changed": plan.count(Effect.CHANGED),
    }


def _shown(values: Mapping[str, Any]) -> list[str]:
    phone = crypto.mask(values["phone"]) if values["phone"] else ""
    role = str(ApplicationContact.Role(values["role"]).label)
    return [values["merchant_no"], role, values["name"], values["email"], phone]


class ContactList(Resource):
    """Contacts as they are taken out, phones masked."""

    merchant_no = Field("merchant__merchant_no", "merchant_no")
    merchant_name = Field("merchant__name", "merchant_name")
    role = Field("role", "role")
    name = Field("name", "name")
    email = Field("email", "email")
    phone = Field("phone_masked", "phone")
    active = Field("active", "active")


def chosen(filter: Mapping[str, str]) -> QuerySet[MerchantContact]:
    """Return the contacts a filter chooses."""
    found = MerchantContact.objects.select_related("merchant").defer("phone")
    names = {"role": "role", "merchant_no": "merchant__merchant_no"}
    return found.filter(**{names[name]: value for name, value in filter.items()})


IMPORTABLE: Final = exchange.Importable(
    name="contacts",
    title=gettext_lazy("Import contacts"),
    intro=gettext_lazy(
        "In force once you confirm. A contact that is known by merchant, role and name gets the"
        " e-mail address and phone of the file."
    ),
    permission="merchants.import_merchantcontact",
    columns=(
        Column("merchant_no", gettext_lazy("merchant number")),
        Column("role", "OWNER, FINANCE, TECHNICAL"),
        Column("name", gettext_lazy("contact's name")),
        Column("email", gettext_lazy("e-mail address; or empty, with a phone"), required=False),
        Column("phone", gettext_lazy("phone; or empty, with an e-mail address"), required=False),
    ),
    resource=ContactSheet,
    store=store,
    shown=_shown,
    onward="merchants_merchantcontact_changelist",
)
EXPORTABLE: Final = exchange.Exportable(
    name="contacts",
    title=gettext_lazy("Export contacts"),
    permission="merchants.export_merchantcontact",
    resource=ContactList,
    rows=chosen,
    fields={
        "role": (gettext_lazy("role"), tuple(ApplicationContact.Role.choices)),
        "merchant_no": (gettext_lazy("merchant number"), ()),
    },
    onward="merchants_merchantcontact_changelist",
)
