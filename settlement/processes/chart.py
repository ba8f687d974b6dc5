"""The process map (S0-26): the declared stages, and who may by the table of rights of the code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from foundation import registries, roles
from foundation.admin.readonly import ReadOnlyAdmin
from merchants.models import Ability, Membership, Scope
from merchants.models.membership import ROLE_ABILITIES
from settlement.processes import PROCESSES, Process, Stage


@dataclass(frozen=True, slots=True)
class Door:
    """One way into a stage: its name, who may by which right, and the roles of staff by name."""

    name: str
    who: str
    right: str
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Station:
    """One stage as people read it."""

    key: str
    title: str
    doors: tuple[Door, ...]
    decisions: tuple[Door, ...]
    moves: tuple[str, ...]
    data: tuple[str, ...]
    duty: str
    deadline: str
    rules: tuple[str, ...]
    follows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """One process as people read it."""

    key: str
    title: str
    stations: tuple[Station, ...]


def charts() -> list[Chart]:
    """Return every process in the reader's language. Reads no row. Rule: PRC-1 to PRC-3."""
    titles = {
        f"{process.key}.{stage.key}": (process, stage)
        for process in PROCESSES
        for stage in process.stages
    }
    views = dict(_views())
    return [
        Chart(
            process.key,
            str(process.title),
            tuple(
                _station(process, stage, place, titles, views)
                for place, stage in enumerate(process.stages)
            ),
        )
        for process in PROCESSES
    ]


def followers(process: Process, place: int) -> tuple[str, ...]:
    """Return the full keys of the stages that follow one: named, or the next of its process."""
    stage = process.stages[place]
    if stage.then is None:
        return tuple(f"{process.key}.{after.key}" for after in process.stages[place + 1 :][:1])
    return tuple(name if "." in name else f"{process.key}.{name}" for name in stage.then)


def _station(
    process: Process,
    stage: Stage,
    place: int,
    titles: dict[str, tuple[Process, Stage]],
    views: dict[str, Any],
) -> Station:
    after = [titles[key] for key in followers(process, place)]
    return Station(
        key=f"{process.key}.{stage.key}",
        title=str(stage.title),
        doors=tuple(_door(name, stage, views) for name in stage.doors),
        decisions=tuple(_decision(name) for name in stage.decides),
        moves=tuple(_move(*step) for step in stage.steps()),
        data=tuple(_(str(apps.get_model(label)._meta.verbose_name)) for label in stage.writes),
        duty=str(stage.duty),
        deadline=_span(stage.within) if stage.within else str(stage.deadline),
        rules=stage.rules,
        follows=tuple(
            str(next_stage.title)
            if next_process is process
            else f"{next_process.title}: {next_stage.title}"
            for next_process, next_stage in after
        ),
    )


def _door(name: str, stage: Stage, views: dict[str, Any]) -> Door:
    """Say who may by one door, out of what the door itself asks for."""
    kind, _blank, rest = name.partition(" ")
    if kind == "step":
        return _staff(name, _right_of_step(rest), str(roles.JUDGED.get(rest, "")))
    if kind == "manage":
        return Door(name, _("operator of the server"), "")
    if kind == "task":
        return Door(name, _("the clock"), "")
    if kind == "POST":
        scope = views[rest].cls.required_scopes["POST"]
        return Door(name, _("a program with a key"), str(Scope(scope).label))
    space, _colon, page = name.partition(":")
    if space == "admin":
        return _staff(name, roles.WRITES.get(page, roles.PAGES[page]))
    abilities = getattr(views[name], "abilities", ())
    if not abilities:
        return Door(name, str(stage.who), "")
    return Door(
        name,
        ", ".join(
            str(role.label)
            for role in Membership.Role
            if role != Membership.Role.CUSTOM and ROLE_ABILITIES[role].intersection(abilities)
        ),
        " / ".join(str(Ability(ability).label) for ability in abilities),
    )


def _staff(name: str, right: str, judged: str = "") -> Door:
    if judged:
        return Door(name, judged, "")
    held = {key: role for key, role in roles.ROLES.items() if roles.grants(role, right)}
    who = ", ".join(str(role.title) for role in held.values()) if right else _("all of staff")
    return Door(name, who, right, frozenset(held))


def _decision(name: str) -> Door:
    """Say who decides on a kind of proposal."""
    action = registries.approval_actions.get(name)
    door = _staff(registries.title_of(name), action.permission)
    who = _("%(roles)s, not the maker") % {"roles": door.who}
    return Door(door.name, who, door.right, door.roles)


def _right_of_step(label: str) -> str:
    model, _dot, step = label.rpartition(".")
    screen = admin.site._registry[apps.get_model(model)]
    assert isinstance(screen, ReadOnlyAdmin)
    return next(one.permission for one in screen.steps if one.name == step)


def _move(model: str, before: str, after: str) -> str:
    """Name a move by the words of its model."""
    found = apps.get_model(model)
    states: Any = getattr(found, "State", None) or found.Status
    return f"{found._meta.verbose_name}: {states(before).label} → {states(after).label}"


def _span(length: timedelta) -> str:
    if length >= timedelta(days=2):
        return ngettext("%(n)s day", "%(n)s days", length.days) % {"n": length.days}
    if length >= timedelta(hours=1):
        hours = int(length / timedelta(hours=1))
        return ngettext("%(n)s hour", "%(n)s hours", hours) % {"n": hours}
    minutes = int(length / timedelta(minutes=1))
    return pgettext("deadline", "%(n)s minutes") % {"n": minutes}


def _views(
    patterns: list[URLPattern | URLResolver] | None = None, spaces: tuple[str, ...] = ()
) -> Iterator[tuple[str, Any]]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            inner = (*spaces, pattern.namespace) if pattern.namespace else spaces
            yield from _views(pattern.url_patterns, inner)
        elif pattern.name:
            yield ":".join((*spaces, pattern.name)), pattern.callback
