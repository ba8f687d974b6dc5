"""What a proposal is about, in words: never a code, a key or a hash alone."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from django.apps import apps
from django.db.models import Model

from foundation import registries
from foundation.models import Approval

_HUMP: Final = re.compile(r"(?<!^)(?=[A-Z])")
_UNSPOKEN: Final = re.compile(r"[0-9a-f]{16}|[0-9a-f]{8}-[0-9a-f]{4}")  # a hash, or a UUID


def about(approval: Approval) -> str:
    """
    Return what a proposal is about: as its kind says it, else the row that its subject names, else
    the proposal in its own words where the subject is no word. At most one query.
    """
    if approval.action not in registries.approval_actions:
        return approval.subject
    action = registries.approval_actions.get(approval.action)
    if action.about is not None:
        return action.about(approval)
    kind, _colon, key = approval.subject.partition(":")
    model = models().get(kind)
    if model is not None and key:
        row = model._default_manager.filter(pk=key).first() if key.isdigit() else None
        if row is not None:
            return f"{model._meta.verbose_name} {row}"
        if not _UNSPOKEN.search(key):
            return f"{model._meta.verbose_name} {key}"
    if ":" in approval.subject or _UNSPOKEN.search(approval.subject):
        return action.describe(approval)
    return approval.subject


@cache
def models() -> dict[str, type[Model]]:
    """Return every model by what proposals call its rows."""
    return {kind_of(model): model for model in apps.get_models()}


def kind_of(model: type[Model]) -> str:
    """Return what proposals call the rows of a model: `bank_account`."""
    return _HUMP.sub("_", model.__name__).lower()
