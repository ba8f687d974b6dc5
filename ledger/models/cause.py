"""What the causes of journal entries and holds, and the facts below a posting, are called."""

from __future__ import annotations

from foundation import registries


def name_of(kind: str) -> str:
    """Return a kind of cause in the reader's language; one that nobody has named as it is."""
    if kind not in registries.cause_names:
        return kind
    return str(registries.cause_names.get(kind))
