"""Every door that writes stands in docs/rules/unguarded_writes.md: who guards it, or why not."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.management import load_command_class
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from config.celery import app
from foundation import registries
from foundation.admin.readonly import ReadOnlyAdmin
from tests.databases import PACKAGES, ROOT
from tests.factories import portal
from tests.factories.foundation import UserFactory

TEXT = (ROOT / "docs/rules/unguarded_writes.md").read_text(encoding="utf-8")
SCREENS = admin.site._registry.values()
_OF_A_SCREEN = ("changelist", "add", "change", "delete", "history", "step", "timeline")
# Pages with a form that proposes, and the right they ask for.
PAGES = {
    "admin:channels_channel_terms": "channels.change_channel",
    "admin:foundation_lend": "foundation.view_delegation",
    "admin:foundation_role_new": "foundation.propose_staffrole",
    "admin:foundation_role_change": "foundation.propose_staffrole",
    "admin:foundation_staff_new": "foundation.propose_staffaccount",
    "admin:foundation_staff_roles": "foundation.propose_staffaccount",
    "admin:foundation_tier": "foundation.change_approvalpolicy",
    "admin:merchants_agent_assign": "merchants.propose_agent",
    "admin:merchants_agent_edit": "merchants.propose_agent",
    "admin:merchants_agent_parents": "merchants.propose_agent",
    "admin:merchants_agent_propose": "merchants.propose_agent",
    "admin:merchants_capability": "merchants.propose_merchantstate",
    "admin:merchants_merchant_move": "merchants.propose_merchantstate",
    "admin:merchants_verificationrule_propose": "merchants.change_verificationrule",
    "admin:settlement_closing": "merchants.propose_merchantstate",
    "portal:bank_account_new": "merchants.manage",  # an ability of a merchant's own people
}
_WRITES = ("POST", "PUT", "PATCH", "DELETE")


def table(heading: str) -> list[list[str]]:
    """Return the rows of the table under a heading, cell by cell."""
    part = TEXT.partition(f"## {heading}")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("|")]
    return rows[2:]


def named(row: list[str]) -> list[str]:
    return re.findall(r"`([^`]+)`", row[0])


GUARDED = table("Guarded: another person decides")
UNGUARDED = table("Unguarded: why one person, or the clock, suffices")
OTHER = table("Not of the business")


class Address(NamedTuple):
    """One address: its name, its view, and the words in it."""

    name: str
    view: Any
    words: tuple[str, ...]


def addresses(
    patterns: list[URLPattern | URLResolver] | None = None,
    spaces: tuple[str, ...] = (),
    words: tuple[str, ...] = (),
) -> Iterator[Address]:
    """Yield every address that has a name."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        own = (*words, *getattr(pattern.pattern, "converters", {}))
        if isinstance(pattern, URLResolver):
            inner = (*spaces, pattern.namespace) if pattern.namespace else spaces
            yield from addresses(pattern.url_patterns, inner, own)
        elif pattern.name:
            yield Address(":".join((*spaces, pattern.name)), pattern.callback, own)


def of_screens() -> set[str]:
    """The admin's own addresses of a table; that they write nothing is test_readonly_admin's."""
    return {
        f"admin:{screen.opts.app_label}_{screen.opts.model_name}_{view}"
        for screen in SCREENS
        for view in _OF_A_SCREEN
    }


def steps() -> set[str]:
    return {
        f"step {screen.opts.app_label}.{screen.opts.model_name}.{step.name}"
        for screen in SCREENS
        if isinstance(screen, ReadOnlyAdmin)
        for step in screen.steps
    }


def operations() -> set[str]:
    return {
        f"{method} {address.name}"
        for address in addresses()
        if hasattr(address.view, "cls")
        for method in _WRITES
        if hasattr(address.view.cls, method.lower())
    }


def pages(made: portal.Shop) -> set[str]:
    """Send a POST to every page beside the API's operations; who does not say 405 may write."""
    words: dict[str, Any] = {
        "merchant_id": made.merchant.id, "number": "W1", "item_id": 1, "payment_id": 1,
        "channel_code": "simulator", "content_type_id": 1, "object_id": 1, "uuid": UUID(int=0),
        "factor_id": 1, "sign_in_id": 1, "user_id": UUID(int=0), "role_id": 1,
        "invitation_id": 1, "key_id": 1, "endpoint_id": 1, "delivery_id": 1, "token": "1.2.3",
        "approval_id": 1, "position": 0, "kind": "merchants", "form": "csv", "import_id": 1,
        "export_id": 1, "confirmation_id": 1, "page": 1,
    }  # fmt: skip
    staff = UserFactory(is_staff=True, is_superuser=True)
    found, reads = set(), of_screens() | {"admin:app_list"}
    for address in addresses():
        if hasattr(address.view, "cls") or address.name in reads:
            continue
        client = Client()
        client.force_login(staff if address.name.startswith("admin:") else made.owner)
        path = reverse(address.name, kwargs={word: words[word] for word in address.words})
        if client.post(path).status_code != 405:
            found.add(address.name)
    return found


def commands() -> set[str]:
    """Every command of ours, each of its subcommands by itself."""
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package / "management/commands").glob("[a-z]*.py"):
            parser = load_command_class(package, path.stem).create_parser("manage.py", path.stem)
            below = [
                choice
                for action in parser._actions
                if isinstance(action, argparse._SubParsersAction)
                for choice in action.choices
            ]
            found |= {f"manage {path.stem} {sub}".strip() for sub in below or [""]}
    return found


def tasks() -> set[str]:
    app.loader.import_default_modules()
    for package in PACKAGES:
        if apps.is_installed(package) and (ROOT / package / "tasks.py").exists():
            import_module(f"{package}.tasks")
    return {f"task {name}" for name in app.tasks if not name.startswith(("celery.", "tests."))}


class TestTheList:
    def test_names_every_door_once_and_nothing_else(self, db: None) -> None:
        listed = Counter(door for row in (*GUARDED, *UNGUARDED, *OTHER) for door in named(row))
        made = portal.shop(portal.clock.now())
        there = steps() | operations() | pages(made) | commands() | tasks()

        assert sorted(there - set(listed)) == []  # a new door that writes: who guards it?
        assert sorted(set(listed) - there) == []  # a door that is gone
        assert [door for door, times in listed.items() if times > 1] == []

    def test_gives_each_unguarded_one_a_person_a_reason_and_a_tier(self) -> None:
        assert len(UNGUARDED) > 10
        for row in UNGUARDED:
            assert len(row) == 4, row
            assert all(cell.strip() for cell in row), row
            assert named(row), row

    def test_gives_each_guarded_one_an_approval_that_exists(self) -> None:
        assert GUARDED
        for row in GUARDED:
            (action,) = re.findall(r"`([^`]+)`", row[1])
            assert action in registries.approval_actions


class TestAGuardedDoor:
    @pytest.mark.parametrize("row", GUARDED, ids=lambda row: row[1])
    def test_asks_for_another_right_than_its_decision(self, row: list[str]) -> None:
        (action,) = re.findall(r"`([^`]+)`", row[1])
        deciding = registries.approval_actions.get(action).permission
        rights = PAGES | {
            f"step {screen.opts.app_label}.{screen.opts.model_name}.{step.name}": step.permission
            for screen in SCREENS
            if isinstance(screen, ReadOnlyAdmin)
            for step in screen.steps
        }

        for door in named(row):
            assert rights[door] not in ("", deciding)
