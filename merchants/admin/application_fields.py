"""The form of an application: its sections, its fields, and what the service is given of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from foundation.models import User
from merchants.admin import agent_choice
from merchants.models import (
    Application,
    ApplicationContact,
    ApplicationOwner,
    ApplicationSite,
    ContractType,
    Industry,
    ProductGate,
)
from merchants.models.application import AccountKind, Bearer
from merchants.selectors import application as applications
from merchants.selectors.application import Whole

MAX_ROWS: Final = 30
SECTIONS: Final = (
    ("business", _("Business"), (
        "name", "registration_no", "licence_until", "licence_long_term", "industry", "country",
        "region", "city", "address")),
    ("contract", _("Contract and products"), (
        "contract_type", "contract_until", "products", "filing_no", "filing_until", "schedule",
        "reviewed_by_whom", "settled_by_whom", "loss_borne_by", "agent_no", "brought_by")),
    ("account", _("Settlement account"), ("account_kind", "account_number", "account_holder",
                                          "bank_name", "bank_code")),
)  # fmt: skip
# What is no field of a change: it has a flow of its own, or stays with who brought the merchant.
_NOT_OF_A_CHANGE: Final = applications.OWN_FLOW | {"brought_by"}
_HELP: Final[Mapping[str, Any]] = {
    "schedule": _(
        "T1: next business day; D1: next day; WEEKLY:1: on Mondays; MONTHLY:1: on the 1st;"
        " T0: the same day, with that product; MANUAL: released by hand"
    ),
    "filing_no": _("for prepaid cards"),
    "contract_until": _("empty: until it is ended"),
    "filing_until": _("empty: without an end"),
    "through_no": _("line of the company above; empty: of the applicant itself"),
}


def _label(model: Any, name: str) -> str:
    return str(model._meta.get_field(name).verbose_name)


def _text(model: Any, name: str, most: int = 0, **more: Any) -> forms.CharField:
    most = most or model._meta.get_field(name).max_length
    widget = UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"})
    return forms.CharField(
        label=_label(model, name), max_length=most, required=False, widget=widget,
        help_text=_HELP.get(name, ""), **more,
    )  # fmt: skip


def _choice(model: Any, name: str, choices: Iterable[Any], empty: bool = True) -> forms.ChoiceField:
    offered = [("", "—"), *choices] if empty else list(choices)
    return forms.ChoiceField(
        label=_label(model, name), choices=offered, required=False, widget=UnfoldAdminSelectWidget()
    )


def _date(model: Any, name: str) -> forms.DateField:
    widget = UnfoldAdminSingleDateWidget(attrs={"type": "date"}, format="%Y-%m-%d")
    return forms.DateField(
        label=_label(model, name), required=False, widget=widget, input_formats=["%Y-%m-%d"],
        help_text=_HELP.get(name, ""),
    )  # fmt: skip


def _tick(model: Any, name: str) -> forms.BooleanField:
    return forms.BooleanField(
        label=_label(model, name), required=False, widget=UnfoldBooleanWidget()
    )


class ProfileForm(forms.Form):
    """What the applicant is, what it asks for, where its money goes. Shapes only."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in (
            "name",
            "registration_no",
            "region",
            "city",
            "address",
            "filing_no",
            "schedule",
            "account_holder",
            "bank_name",
            "bank_code",
            "country",
        ):
            self.fields[name] = _text(Application, name)  # fmt: skip
        self.fields["account_number"] = _text(Application, "account_number", 40)
        self.fields["licence_until"] = _date(Application, "licence_until")
        self.fields["licence_long_term"] = _tick(Application, "licence_long_term")
        self.fields["contract_until"] = _date(Application, "contract_until")
        self.fields["filing_until"] = _date(Application, "filing_until")
        industries = [(row.code, str(row)) for row in Industry.objects.order_by("code")]
        self.fields["industry"] = _choice(Application, "industry", industries)
        contracts = ContractType.choices
        self.fields["contract_type"] = _choice(Application, "contract_type", contracts)
        for name in ("reviewed_by_whom", "settled_by_whom", "loss_borne_by"):
            self.fields[name] = _choice(Application, name, Bearer.choices)
        kinds = AccountKind.choices
        self.fields["account_kind"] = _choice(Application, "account_kind", kinds, empty=False)
        self.fields["products"] = forms.MultipleChoiceField(
            label=_label(Application, "products"),
            choices=[(gate.code, str(gate)) for gate in ProductGate.objects.order_by("code")],
            required=False,
            widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        )
        staff = User.objects.filter(is_staff=True, is_active=True).select_related("person")
        names = [
            (str(user.pk), staff_name(user))
            for user in staff.order_by("person__name", "username")[:500]
        ]
        self.fields["agent_no"] = agent_choice.field(_label(Application, "agent_no"))
        self.fields["brought_by"] = _choice(Application, "brought_by", names)


class _RowForm(forms.Form):
    """One line of owners, contacts or sites; a line without a name is no line."""

    def empty(self) -> bool:
        """Return whether the line is left out."""
        return not str(self.data.get(self.add_prefix("name"), "")).strip()

    def typed(self) -> bool:
        """Return whether anything was entered in the line besides its choices."""
        return any(
            str(self.data.get(self.add_prefix(name), "")).strip()
            for name, field in self.fields.items()
            if not isinstance(field, forms.ChoiceField)
        )


class OwnerForm(_RowForm):
    """One owner."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        model = ApplicationOwner
        self.fields["name"] = _text(model, "name")
        self.fields["kind"] = _choice(model, "kind", model.Kind.choices, empty=False)
        self.fields["share_percent"] = forms.DecimalField(
            label=_label(model, "share_percent"), required=False, max_digits=5, decimal_places=2,
            widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        )  # fmt: skip
        self.fields["through_no"] = forms.IntegerField(
            label=_label(model, "through_no"), required=False, min_value=1, max_value=MAX_ROWS,
            widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric"}),
            help_text=_HELP["through_no"],
        )  # fmt: skip
        kinds = model.Identity.choices
        self.fields["identity_kind"] = _choice(model, "identity_kind", kinds, empty=False)
        self.fields["identity_no"] = _text(model, "identity_no", 40)
        self.fields["source_of_funds"] = _choice(model, "source_of_funds", model.Funds.choices)
        self.fields["identity_until"] = _date(model, "identity_until")
        self.fields["identity_long_term"] = _tick(model, "identity_long_term")
        self.fields["legal_representative"] = _tick(model, "legal_representative")


class ContactForm(_RowForm):
    """One contact."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        model = ApplicationContact
        self.fields["name"] = _text(model, "name")
        self.fields["role"] = _choice(model, "role", model.Role.choices, empty=False)
        self.fields["email"] = forms.EmailField(
            label=_label(model, "email"), max_length=200, required=False,
            widget=UnfoldAdminTextInputWidget(attrs={"type": "email", "autocomplete": "off"}),
        )  # fmt: skip
        self.fields["phone"] = _text(model, "phone", 40)


class SiteForm(_RowForm):
    """One site."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        model = ApplicationSite
        self.fields["name"] = _text(model, "name")
        self.fields["kind"] = _choice(model, "kind", model.Kind.choices, empty=False)
        self.fields["place"] = _text(model, "place")
        self.fields["filing_no"] = forms.CharField(
            label=_label(model, "filing_no"), max_length=64, required=False,
            widget=UnfoldAdminTextInputWidget(),
        )  # fmt: skip


ROWS: Final[Mapping[str, tuple[Any, type[_RowForm]]]] = {
    "owners": (_("Owners"), OwnerForm),
    "contacts": (_("Contacts"), ContactForm),
    "sites": (_("Sites"), SiteForm),
}
SECRET: Final = {"account_number": "account_masked", "identity_no": "identity_masked",
                  "phone": "phone_masked"}  # fmt: skip


def sections(application: Application) -> list[tuple[str, Any, tuple[str, ...]]]:
    """Return the sections of the form with their fields, those of a change without the account."""
    if application.kind == Application.Kind.OPENING:
        return list(SECTIONS)
    kept = (
        (name, title, tuple(one for one in names if one not in _NOT_OF_A_CHANGE))
        for name, title, names in SECTIONS
    )
    return [(name, title, names) for name, title, names in kept if names]


def profile_form(of: Whole, data: Mapping[str, Any] | None) -> ProfileForm:
    """Return the form of the row itself; secret numbers are not filled in, only hinted at."""
    row = of.application
    form = ProfileForm(data, initial=_initial(row, ProfileForm().fields), prefix="profile")
    _hint(form, row)
    return form


def row_forms(of: Whole, part: str, data: Mapping[str, Any] | None) -> list[_RowForm]:
    """Return the lines of a part, with one empty line behind them."""
    kind = ROWS[part][1]
    rows = {row.line_no: row for row in getattr(of, part)}
    last = max(rows, default=0)
    posted: set[int] = set()
    if data is not None:
        posted = {n for n in range(1, MAX_ROWS + 1) if f"{part}-{n}-name" in data}
        last = max(last, *posted, 0)  # somebody else may have added lines meanwhile
    else:
        last = min(last + 1, MAX_ROWS)
    found = []
    for line in range(1, last + 1):
        row = rows.get(line)
        initial = {} if row is None else _initial(row, kind().fields)
        given = data if line in posted else None
        form = kind(given, initial=initial, prefix=f"{part}-{line}")
        if row is not None:
            _hint(form, row)
        found.append(form)
    return found


def values(form: forms.Form) -> dict[str, Any]:
    """Return the fields that have the right shape, as the service takes them."""
    form.is_valid()
    found = dict(form.cleaned_data)
    if "industry" in found:
        found["industry_id"] = found.pop("industry") or None
    return found


def shown(row: Any, name: str) -> str:
    """Return a field as people read it: a choice by its label, a secret number masked."""
    if name in SECRET:
        return str(getattr(row, SECRET[name]))
    if name == "products":
        return ", ".join(applications.product_names(row))
    display = getattr(row, f"get_{name}_display", None)
    value = display() if display else getattr(row, name)
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, User):
        return staff_name(value)
    return "" if value is None else str(value)


def staff_name(user: User) -> str:
    """Return a colleague's name, with the account's: namesakes are told apart."""
    return f"{user.person.name} ({user.username})"


def _initial(row: Any, names: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        if name in SECRET:
            continue
        value = getattr(row, f"{name}_id" if name in ("industry", "brought_by") else name)
        found[name] = value
    return found


def _hint(form: forms.Form, row: Any) -> None:
    for name, masked in SECRET.items():
        if name in form.fields and (shown := getattr(row, masked, "")):
            form.fields[name].widget.attrs["placeholder"] = shown
