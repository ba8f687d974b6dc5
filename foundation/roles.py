"""
What staff may do, by role: the table, and how it comes into the database.

A role is a group of Django's with the role's name. The table is the law (docs/rules/roles.md): each
`migrate` and the command `roles` make the groups equal to it; other groups are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class RightUnknown(Exception):
    """The table names a permission or model that no package has: a bug."""


@dataclass(frozen=True, slots=True)
class Role:
    """`sees` names packages or models ("package.model") to read, `may` further permissions."""

    title: Promise
    purpose: Promise
    sees: tuple[str, ...]
    may: tuple[str, ...] = ()


_BUSINESS: Final = ("merchants", "ledger", "channels", "settlement")
_ACCOUNTS: Final = ("foundation.user", "foundation.signin", "foundation.staffrole")
_PROPOSALS: Final = (
    "foundation.approval",
    "foundation.approvalpolicy",
    "foundation.businessday",
    "foundation.delegation",
)
_FILES: Final = ("foundation.fileimport", "foundation.fileexport")
_MACHINE: Final = ("foundation.job", "foundation.outboxmessage")

ROLES: Final[Mapping[str, Role]] = {
    "operator": Role(
        _("operator"),
        _("works the queues: proposes, releases, closes, switches off"),
        (*_BUSINESS, *_PROPOSALS, *_MACHINE, *_ACCOUNTS, *_FILES),
        (
            "merchants.add_application",
            "channels.add_registration",
            "channels.change_channel",
            "channels.change_registration",
            "foundation.add_fileexport",
            "foundation.add_fileimport",
            "merchants.change_merchantcontact",
            "merchants.export_bankaccount",
            "merchants.export_merchant",
            "merchants.export_merchantcontact",
            "merchants.import_bankaccount",
            "merchants.import_merchant",
            "merchants.import_merchantcontact",
            "foundation.close_staffaccount",
            "foundation.propose_mfa_reset",
            "foundation.propose_staffaccount",
            "foundation.propose_staffrole",
            "merchants.call_back",
            "foundation.change_approvalpolicy",
            "merchants.change_apikey",
            "merchants.change_application",
            "merchants.change_bankaccount",
            "merchants.change_membership",
            "merchants.change_partnergrant",
            "merchants.change_verificationrule",
            "merchants.change_webhookdelivery",
            "merchants.change_webhookendpoint",
            "merchants.export_agent",
            "merchants.import_agent",
            "merchants.propose_agent",
            "merchants.propose_merchantstate",
            "settlement.change_item",
            "settlement.change_payoutattempt",
            "settlement.change_payoutcase",
            "settlement.change_standinginstruction",
            "settlement.release_due",
        ),
    ),
    "reviewer": Role(
        _("reviewer"),
        _("does the first review of applications, and proposes whom to take on"),
        (*_BUSINESS, *_PROPOSALS),
        ("merchants.review_application",),
    ),
    "checker": Role(
        _("checker"),
        _("decides on what another person proposed, and changes nothing alone"),
        (*_BUSINESS, *_PROPOSALS, *_MACHINE, *_ACCOUNTS, *_FILES),
        (
            "channels.approve_channel",
            "channels.approve_registration",
            "foundation.approve_mfa_reset",
            "foundation.approve_staffaccount",
            "foundation.approve_staffrole",
            "merchants.approve_application",
            "foundation.approve_approvalpolicy",
            "foundation.approve_delegation",
            "merchants.approve_agent",
            "merchants.approve_bankaccount",
            "merchants.approve_merchantimport",
            "merchants.approve_merchantstate",
            "merchants.approve_verificationrule",
            "settlement.approve_payoutstatus",
            "settlement.approve_standinginstruction",
            "settlement.approve_withdrawal",
            "settlement.resolve_payout",
        ),
    ),
    "finance": Role(
        _("finance"),
        _("looks after settlement and the ledger, proposes what became of payouts"),
        (*_BUSINESS, *_PROPOSALS, *_MACHINE, *_FILES),
        (
            "foundation.add_fileexport",
            "merchants.export_bankaccount",
            "merchants.export_merchant",
            "merchants.export_merchantcontact",
            "settlement.change_item",
            "settlement.change_payoutattempt",
            "settlement.change_payoutcase",
            "settlement.release_due",
        ),
    ),
    "engineer": Role(
        _("engineer on duty"),
        _("keeps jobs and messages going; decides on no money"),
        (*_BUSINESS, *_PROPOSALS, *_MACHINE),
        (
            "foundation.change_job",
            "foundation.change_outboxmessage",
            "merchants.change_webhookdelivery",
            "settlement.change_item",
        ),
    ),
    "risk": Role(
        pgettext_lazy("role", "risk"),
        _("stops merchants at once when danger is seen, and others confirm it; restores nobody"),
        (*_BUSINESS, *_PROPOSALS),
        ("merchants.freeze_at_once", "merchants.propose_merchantstate"),
    ),
    "auditor": Role(
        _("auditor"),
        _("reads everything, the audit trail and people included; changes nothing"),
        ("foundation", "auth", *_BUSINESS),
    ),
}


# Pages of the admin that belong to no table, and the right each asks for; EVERYBODY is all staff.
# A page that is not here is not served: the site refuses to add it (ROL-6).
EVERYBODY: Final = ""
PAGES: Final[Mapping[str, str]] = {
    "application_begin": "merchants.add_application",
    "application_evidence": "merchants.view_applicationevidence",
    "application_form": "merchants.change_application",
    "application_people": "merchants.view_application",
    "application_review": "merchants.review_application",
    "channels_channel_terms": "channels.change_channel",
    "channels_registration_request": "channels.add_registration",
    "document_file": "merchants.view_document",
    "document_preview": "merchants.view_document",
    "find": EVERYBODY,  # finds only what the reader may see
    "foundation_export": "foundation.add_fileexport",
    "foundation_export_file": "foundation.add_fileexport",
    "foundation_import": "foundation.add_fileimport",
    "foundation_import_check": "foundation.add_fileimport",
    "foundation_import_template": "foundation.add_fileimport",
    "foundation_lend": "foundation.view_delegation",
    "foundation_matrix": EVERYBODY,
    "foundation_role_change": "foundation.propose_staffrole",
    "foundation_role_new": "foundation.propose_staffrole",
    "foundation_sample": "foundation.view_auditevent",
    "foundation_staff_new": "foundation.propose_staffaccount",
    "foundation_staff_roles": "foundation.propose_staffaccount",
    "foundation_tier": "foundation.change_approvalpolicy",
    "ledger_trial_balance": "ledger.view_account",
    "merchants_agent_assign": "merchants.propose_agent",
    "merchants_agent_edit": "merchants.propose_agent",
    "merchants_agent_parents": "merchants.propose_agent",
    "merchants_agent_propose": "merchants.propose_agent",
    "merchants_agent_taken": "foundation.view_approval",
    "merchants_capability": "merchants.propose_merchantstate",
    "merchants_confirmation_number": "merchants.call_back",
    "merchants_links": "merchants.view_link",
    "merchants_merchant_emergency": "merchants.freeze_at_once",
    "merchants_merchant_move": "merchants.propose_merchantstate",
    "merchants_merchant_moves": "foundation.view_approval",
    "merchants_merchant_taken": "foundation.view_approval",
    "merchants_verificationrule_propose": "merchants.change_verificationrule",
    "settlement_closing": "settlement.view_due",
    "settlement_closings": "settlement.view_due",
    "settlement_payment_trail": "channels.view_payment",
    "settlement_processes": EVERYBODY,
    "settlement_release": "settlement.view_due",
}
# What a page asks for before it writes, where fewer may write than see; the page itself refuses.
WRITES: Final[Mapping[str, str]] = {
    "settlement_closing": "merchants.propose_merchantstate",
    "settlement_release": "settlement.release_due",
}
# Steps without a right of their own: the service judges by what the row is. Others are refused.
JUDGED: Final[Mapping[str, Promise]] = {
    "foundation.approval.approve": _("who may decide on this kind, but not its maker"),
    "foundation.approval.reject": _("who may decide on this kind, but not its maker"),
    "foundation.approval.withdraw": _("its maker"),
    "foundation.delegation.end": _("its two sides, and who may approve delegations"),
}


def title_of(name: str) -> str:
    """Return a role in the reader's language; a group of another name as it is."""
    return str(ROLES[name].title) if name in ROLES else name


def grants(role: Role, permission: str) -> bool:
    """Return whether the table gives a role a permission; EVERYBODY is granted to all."""
    package, _dot, codename = permission.partition(".")
    if not codename.startswith("view_"):
        return permission == EVERYBODY or permission in role.may
    return package in role.sees or f"{package}.{codename.removeprefix('view_')}" in role.sees


def holders(permission: str) -> str:
    """Return the roles that hold a permission, in the reader's language; "" where none does."""
    return ", ".join(str(role.title) for role in ROLES.values() if permission in role.may)


def sync(*, using: str = "default") -> dict[str, int]:
    """
    Make the groups of the roles equal to the table; return how many permissions each has.

    Safe to run any number of times; what is right is not written again. Raises RightUnknown.
    Rule: ROL-1.
    """
    with transaction.atomic(using=using):
        return {name: _sync(name, role, using) for name, role in ROLES.items()}


def _sync(name: str, role: Role, using: str) -> int:
    group, _created = Group.objects.using(using).get_or_create(name=name)
    wanted = _permissions(role, using)
    held = set(group.permissions.using(using).values_list("id", flat=True))
    group.permissions.remove(*(held - wanted))
    group.permissions.add(*(wanted - held))
    return len(wanted)


def _permissions(role: Role, using: str) -> set[int]:
    wanted: set[int] = set()
    for seen in role.sees:
        package, _dot, model = seen.partition(".")
        views = Q(content_type__app_label=package, codename__startswith="view_")
        wanted |= _known(seen, views & Q(content_type__model=model) if model else views, using)
    for permission in role.may:
        package, _dot, codename = permission.partition(".")
        named = Q(content_type__app_label=package, codename=codename)
        wanted |= _known(permission, named, using)
    return wanted


def _known(name: str, condition: Q, using: str) -> set[int]:
    found = set(Permission.objects.using(using).filter(condition).values_list("id", flat=True))
    if not found:
        raise RightUnknown(f"No package has {name}.")
    return found
