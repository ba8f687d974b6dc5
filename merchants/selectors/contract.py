"""Under which contract a merchant stands now, and which modules appear for it."""

from __future__ import annotations

from collections.abc import Collection

from django.utils.translation import gettext as _

from config.errors import Forbidden
from foundation import registries
from merchants.contract_modules import DOORS, OF_MONEY, TABLE, Module
from merchants.models import ContractType, Paper
from merchants.models.paper import Kind


class NotInContract(Forbidden):
    """The merchant's contract does not include what was asked for."""

    code = "not_in_contract"


def type_of(merchant_id: int) -> ContractType:
    """
    Return the contract of the merchant's current approved application. Who came in by a file has
    none: his funds are held.
    """
    found = Paper.objects.filter(
        merchant_id=merchant_id, kind=Kind.CONTRACT, superseded_by=None
    ).values_list("about", flat=True)
    return ContractType(found.first() or ContractType.FUNDS_HELD)


def modules_of(merchant_id: int) -> frozenset[Module]:
    """
    Return what appears for a merchant: by its contract, and what is about money as soon as there
    ever was money of it here. Rule: MOD-1, MOD-2 (docs/rules/contract_modules.md).
    """
    kind = type_of(merchant_id)
    found = frozenset(module for module, contracts in TABLE.items() if kind in contracts)
    if not found >= OF_MONEY and any(holds(merchant_id) for holds in registries.money_holders):
        return found | OF_MONEY
    return found


def opens(door: str, modules: Collection[Module]) -> bool:
    """Return whether a door is among the modules; one that is in no table is closed (MOD-3)."""
    return DOORS.get(door) in modules


def opens_list(label: str, modules: Collection[Module]) -> bool:
    """Return whether a list of the admin ("package.model") is among the modules of a merchant."""
    package = label.partition(".")[0]
    door = f"admin:{label}" if f"admin:{label}" in DOORS else f"admin:{package}"
    return opens(door, modules)


def require(door: str, *, merchant_id: int) -> None:
    """Raise NotInContract where a door does not appear for the merchant."""
    if not opens(door, modules_of(merchant_id)):
        raise NotInContract(refusal(), door=door)


def without(door: str, *, merchant_ids: Collection[int]) -> frozenset[int]:
    """Return for which of these merchants a door does not appear; one statement for most."""
    technical = Paper.objects.filter(
        merchant_id__in=merchant_ids, kind=Kind.CONTRACT, superseded_by=None
    ).exclude(about__in=(ContractType.FUNDS_HELD, ""))
    asked = technical.values_list("merchant_id", flat=True)
    return frozenset(one for one in asked if not opens(door, modules_of(one)))


def refusal() -> str:
    """Say in a sentence why a module is not there."""
    return _(
        "This merchant's contract is a technical service: its money is not held here, so there is"
        " nothing of this kind."
    )
